"""The RRDB network of ESRGAN with its upsampling half run in strips, and on a CPU with its trunk by Winograd (see `dense`).

Its trunk works at the resolution of the input, but what follows works at that of the output, with 64 channels: on a 640x360 tile at 4x
that is over a gigabyte at once. Only a few rows of it depend on each other, so strips give the same picture in a small fraction.
"""
from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch

from ..arrays import to_floats, to_image
from .dense import QuickTrunk, has_dense_form

HALO = 2
"""Rows of the trunk that the upsampling half looks at beyond a strip (its convolutions, at 2x and 4x, reach 1.5 rows or less)."""

STRIP = 24 * 2**20
"""Bytes that a strip may take."""


def has_rrdb_form(network: torch.nn.Module) -> bool:
    """Say whether a network is spandrel's RRDBNet: one sequence of head, trunk (with a skip), upsampling."""
    sequence = getattr(network, "model", None)
    if not isinstance(sequence, torch.nn.Sequential) or not hasattr(network, "shuffle_factor"):
        return False
    kinds = [type(part).__name__ for part in sequence]
    return len(kinds) > 4 and kinds[:2] == ["Conv2d", "ShortcutBlock"] and set(kinds[2:]) <= {"Upsample", "Conv2d", "LeakyReLU"}


def _dense_threes(shortcut: torch.nn.Module) -> list[list[torch.nn.Module]]:
    """Give the dense blocks of a trunk by threes; none where any is not as `QuickTrunk` knows it."""
    *threes, last = shortcut.sub.children()  # type: ignore[union-attr]
    blocks = [list(three.children()) for three in threes if type(three).__name__ == "RRDB"]
    known = len(blocks) == len(threes) > 0 and isinstance(last, torch.nn.Conv2d)
    return blocks if known and all(len(three) == 3 and all(map(has_dense_form, three)) for three in blocks) else []


class LeanRRDB(torch.nn.Module):
    """An RRDBNet's own layers; they are shared with it, not copied."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        parts = list(network.model.children())  # type: ignore[union-attr]
        self._threes = _dense_threes(parts[1])
        self.trunk = torch.nn.Sequential(*parts[:2])
        self.tail = torch.nn.Sequential(*parts[2:])
        self.shuffle = int(network.shuffle_factor or 1)  # type: ignore[arg-type]
        ups = [part for part in parts if isinstance(part, torch.nn.Upsample)]
        self.growth = int(torch.tensor([float(up.scale_factor) for up in ups]).prod()) if ups else 1  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upscale ``[N,C,h,w]``; height and width divide by `shuffle`."""
        if self.shuffle > 1:
            x = torch.pixel_unshuffle(x, self.shuffle).contiguous(memory_format=torch.channels_last)
        x = self._trunk(x)
        strips = list(self._strips(x))
        return strips[0] if len(strips) == 1 else torch.cat(strips, 2)

    def _trunk(self, x: torch.Tensor) -> torch.Tensor:
        if not self._threes or x.device.type != "cpu" or x.dtype != torch.float32:
            made: torch.Tensor = self.trunk(x)
            return made
        head, shortcut = self.trunk
        x = head(x)
        pictures = to_floats(x.permute(0, 2, 3, 1))  # no copy in channels_last
        grown = to_image(np.stack([self._quick(picture) for picture in pictures])).permute(0, 3, 1, 2)
        return x.add(shortcut.sub[-1](grown))  # type: ignore[index,operator]

    @cached_property
    def _quick(self) -> QuickTrunk:
        """Give the trunk as Winograd's way takes it; made at the first use on a CPU."""
        return QuickTrunk(self._threes)

    def _strips(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        count, channels, height, width = x.shape
        rows = max(8, STRIP // (5 * count * channels * x.element_size() // 2 * width * self.growth**2))
        if rows >= height:
            yield self.tail(x)
            return
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            above, below = min(HALO, top), min(HALO, height - bottom)
            strip = self.tail(x[:, :, top - above : bottom + below])
            yield strip[:, :, above * self.growth : strip.shape[2] - below * self.growth].clone()
