"""What the network hears: a mel window becomes 128 maps of 8x8."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ResBlock, Stage
from .embedding import sinusoids
from .normalisation import GroupNorm

BANDS = 80
COLUMNS = 16

_ROWS = 64
_WIDTHS = (32, 64, 96, 128)
_CELLS = ((2, 1), (2, 1), (2, 2))
_EMBEDDING = 32


class AudioEncoder(nn.Module):
    """Encode mel windows ``[N,80,16]`` (bands, columns of 1/80 s; -4 is silence, 4 full scale) to ``[N,128,8,8]``."""

    def __init__(self) -> None:
        super().__init__()
        self.time_embed = nn.Sequential(nn.Linear(_EMBEDDING, _EMBEDDING), nn.SiLU(), nn.Linear(_EMBEDDING, _EMBEDDING))
        self.input_block = nn.Sequential(nn.Conv1d(BANDS, _ROWS, 3, padding=1), GroupNorm(_ROWS), nn.SiLU())
        stages: list[nn.Module] = [Stage(nn.Conv2d(1, _WIDTHS[0], 3, padding=1))]
        width = _WIDTHS[0]
        for level, out_width in enumerate(_WIDTHS):
            for _ in range(2):
                stages.append(Stage(ResBlock(width, out_width, _EMBEDDING)))
                width = out_width
            if level < len(_CELLS):
                stages.append(Stage(ResBlock(width, width, _EMBEDDING, "down", _CELLS[level])))
        self.encoder_blocks = nn.ModuleList(stages)
        self.middle_block = Stage(ResBlock(width, width, _EMBEDDING))

    def forward(self, mel: Tensor) -> Tensor:
        """Encode the windows in float32."""
        # The encoder was built from the blocks of the denoiser, and is told "time 0" for ever: a constant.
        constant = self.time_embed(sinusoids(torch.zeros(1, device=mel.device), _EMBEDDING))
        h: Tensor = self.input_block(mel)[:, None]
        for stage in self.encoder_blocks:
            h = stage(h, constant)
        maps: Tensor = self.middle_block(h, constant)
        return maps
