"""The loops of `TemporalConsistency`: how unlike two frames are, and the weighted sum of what neighbours say."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, Frames
from ..compiled import compiled

Plane = NDArray[np.float32]

_ONE = np.float32(1)


@compiled
def difference(change: Frame, light: Frame, tolerance: float, out: Plane) -> None:
    """Write the mean over channels of ``|change|`` less the part of it that is a soft change of light.

    Args:
        change: ``[H,W,C]``, neighbour less frame.
        light: its local mean; counts as light up to `tolerance`.
        tolerance: in the units of the picture.
        out: ``[H,W]``.
    """
    height, width, channels = change.shape
    share = _ONE / np.float32(channels)
    most = np.float32(tolerance)
    for y in range(height):
        for x in range(width):
            unlike = np.float32(0)
            for c in range(channels):
                unlike += abs(change[y, x, c] - min(max(light[y, x, c], -most), most))
            out[y, x] = unlike * share


@compiled
def accumulate(change: Frame, unlike: Plane, flow: Frame, scale: float, total: Frame, weight: Plane) -> None:
    """Add ``w * change`` to `total` and w to `weight`, where w = trust of the flow / (1 + (unlike / scale)^4).

    Args:
        change: ``[H,W,C]``, neighbour less frame.
        unlike: ``[H,W]``, how different the two look around each pixel.
        flow: ``[H,W,3]``, its last value the trust.
        scale: the difference at which a neighbour counts half.
        total: ``[H,W,C]``.
        weight: ``[H,W]``.
    """
    height, width, channels = change.shape
    inverse = _ONE / np.float32(scale)
    for y in range(height):
        for x in range(width):
            ratio = unlike[y, x] * inverse
            ratio *= ratio
            w = flow[y, x, 2] / (_ONE + ratio * ratio)
            weight[y, x] += w
            for c in range(channels):
                total[y, x, c] += w * change[y, x, c]


@compiled
def average(frames: Frames, share: float, out: Frame) -> None:
    """Write the exponential average of frames ``[B,H,W,C]``, the oldest first and counted as all that came before it.

    Args:
        frames: C-contiguous.
        share: of the past, in each step.
        out: ``[H,W,C]``, C-contiguous.
    """
    count, height, width, channels = frames.shape
    past, new = np.float32(share), _ONE - np.float32(share)
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                out[y, x, c] = frames[0, y, x, c]
        for j in range(1, count):
            for x in range(width):
                for c in range(channels):
                    out[y, x, c] = out[y, x, c] * past + new * frames[j, y, x, c]
