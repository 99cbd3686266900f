"""Residual blocks of the network, plain, halving and doubling (Dhariwal and Nichol, "Diffusion Models Beat GANs", 2021)."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from .attention import Attention
from .normalisation import GroupNorm

Resampling = Literal["none", "down", "up"]


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
        self.in_layers = nn.Sequential(GroupNorm(channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, out_channels))
        # The third place was dropout in training; it keeps the convolution's key at 3.
        self.out_layers = nn.Sequential(GroupNorm(out_channels), nn.SiLU(), nn.Identity(), nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.skip_connection = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Run the block on maps `x` and the float32 embedding ``[N,E]``."""
        norm, _, convolution = self.in_layers
        h = functional.silu(norm(x), inplace=True)
        if self.resampling == "down":
            h, x = (functional.avg_pool2d(maps, self.cell) for maps in (h, x))
        elif self.resampling == "up":
            h, x = (functional.interpolate(maps, scale_factor=2.0, mode="nearest") for maps in (h, x))
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
