"""Residual blocks of the network, plain, halving and doubling (Dhariwal and Nichol, "Diffusion Models Beat GANs", 2021)."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import Attention
from .convolution import Convolution
from .normalisation import GroupNorm

Resampling = Literal["none", "down", "up"]


def doubled(x: Tensor) -> Tensor:
    """Repeat every position of ``[N,C,H,W]`` twice in both directions."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class Doubling(nn.Conv2d):
    """A 3x3 convolution of doubled maps.

    Doubled positions come in equal fours, so their products can be added up in the weights beforehand: a transposed convolution with
    stride 2 and 4x4 weights, 4 products a result where the plain way takes 9. `fuse` makes those weights; the sums stay the same.
    """

    fused: Tensor | None

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, padding=1)
        self.register_buffer("fused", None, persistent=False)

    def fuse(self) -> None:
        """Add up the weights, in their precision."""
        spread = functional.pad(self.weight.detach().float().flip(2, 3), (1, 1, 1, 1))
        summed = sum((spread[:, :, a : a + 4, b : b + 4] for a in (0, 1) for b in (0, 1)), torch.zeros(()))
        self.fused = summed.transpose(0, 1).to(self.weight.dtype).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``[N,C,H,W]`` to ``[N,C',2H,2W]``."""
        if self.fused is None:
            return super().forward(doubled(x))
        return functional.conv_transpose2d(x, self.fused.to(x.dtype), self.bias, stride=2, padding=1)


class ResBlock(nn.Module):
    """Two normalised 3x3 convolutions with an embedding added between them, beside a skip connection; ``[N,C,H,W]`` in and out.

    `resampling` halves (mean of each cell of `cell` positions) or doubles (nearest) both paths before the first convolution.
    """

    def __init__(
        self, channels: int, out_channels: int, embedding: int, resampling: Resampling = "none", cell: tuple[int, int] = (2, 2)
    ) -> None:
        super().__init__()
        self.resampling = resampling
        self.cell = cell
        convolution = Doubling if resampling == "up" else Convolution
        self.in_layers = nn.Sequential(GroupNorm(channels), nn.SiLU(), convolution(channels, out_channels))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, out_channels))
        # The third place was dropout in training; it keeps the convolution's key at 3.
        last = Convolution(out_channels, out_channels)
        self.out_layers = nn.Sequential(GroupNorm(out_channels), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Run the block on maps `x` and the float32 embedding ``[N,E]``."""
        norm, _, convolution = self.in_layers
        h = functional.silu(norm(x), inplace=True)
        if self.resampling == "down":
            h, x = (functional.avg_pool2d(maps, self.cell) for maps in (h, x))
        elif self.resampling == "up":
            x = doubled(x)  # h is doubled inside the convolution
        h = convolution(h)
        shift = self.emb_layers(embedding).to(h.dtype)
        h = h.add_(shift[:, :, None, None])
        change: Tensor = self.out_layers(h)
        return change.add_(self.skip_connection(x))


class Stage(nn.Sequential):
    """Layers in a row, of which the residual blocks are also given the embedding."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # type: ignore[override]
        """Run the layers on ``[N,C,H,W]`` maps."""
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResBlock) else layer(x)
        return x


def convolutions(module: nn.Module) -> Iterator[nn.Module]:
    """Find the convolutions of a module: the layers whose weights become half precision in half mode."""
    return (m for m in module.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d)))


def residual(channels: int, out_channels: int, embedding: int, attention: bool) -> list[nn.Module]:
    """Give a residual block, and an attention block after it where asked."""
    return [ResBlock(channels, out_channels, embedding), *([Attention(out_channels)] if attention else [])]
