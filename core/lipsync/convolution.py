"""A 3x3 convolution of the network, by Winograd's minimal filtering where that is faster: large maps, float32, on a CPU."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ..arrays import to_floats, to_image
from ..parallel import PerThread
from ..winograd import POINTS, Floats, from_points, tiles, to_points, transformed

LEAST_TILES = 64
"""Tiles of a map from which on it pays: with fewer, the four times larger kernels are read for too little work."""

MOST_THREADS = 4
"""Of torch, up to which it pays. The transforms run on one thread (others would wait for torch's, which spin after each product), so that
with many threads the direct way is no slower."""


class Convolution(nn.Conv2d):
    """A 3x3 convolution that keeps the size of its maps.

    With `quick` a large map on a CPU takes about half the time, for sums that differ in their last digits (some 1e-5 of the
    largest value); everything else goes torch's way.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, padding=1)
        self.quick = False
        self._made: tuple[tuple[int, int], _Kernels] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``[N,C,H,W]`` to ``[N,C',H,W]``."""
        small = x.dtype != torch.float32 or tiles(*x.shape[2:]) < LEAST_TILES
        if not self.quick or small or x.device.type != "cpu" or torch.get_num_threads() > MOST_THREADS:
            return super().forward(x)
        pictures = to_floats(x.permute(0, 2, 3, 1))  # no copy in channels_last
        out = np.empty((*pictures.shape[:3], self.out_channels), np.float32)
        for picture, made in zip(pictures, out, strict=True):
            _convolve(picture, self._kernels(), made)
        return to_image(out).permute(0, 3, 1, 2)

    def _kernels(self) -> _Kernels:
        """Give the weights at the points; made at the first use, and anew when the weights have changed."""
        now = self.weight.data_ptr(), 0 if self.weight.is_inference() else self.weight._version
        if self._made is None or self._made[0] != now:
            bias = np.zeros(self.out_channels, np.float32) if self.bias is None else to_floats(self.bias)
            self._made = now, _Kernels(to_image(transformed(to_floats(self.weight))), bias, np.ones(self.out_channels, np.float32))
        return self._made[1]


@dataclass(frozen=True, eq=False)
class _Kernels:
    at_points: Tensor
    bias: Floats
    slope: Floats


@dataclass(eq=False)
class _Space:
    """Memory that one convolution after the other uses: new memory would cost as much as the work."""

    held: dict[str, Floats] = field(default_factory=dict)

    def array(self, name: str, *shape: int) -> Floats:
        """Give an array of a shape, with whatever is in it."""
        size = int(np.prod(shape))
        if name not in self.held or self.held[name].size < size:
            self.held[name] = np.empty(size, np.float32)
        return self.held[name][:size].reshape(shape)


_space = PerThread(_Space)


def _convolve(picture: Floats, kernels: _Kernels, out: Floats) -> None:
    height, width, into = picture.shape
    count, space = tiles(height, width), _space.mine
    seen, made = space.array("seen", POINTS, count, into), space.array("made", POINTS, count, out.shape[2])
    to_points(picture, 0, count, seen, 0, 0)
    torch.bmm(to_image(seen), kernels.at_points, out=to_image(made))
    from_points(made, 0, 0, count, kernels.bias, kernels.slope, out)
