"""What lies beyond the frame's rim: a periodic continuation, for filters that work on the whole spectrum."""
from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...arrays import Frame, as_float32


def padded_size(height: int, width: int, reach: tuple[int, int]) -> tuple[int, int]:
    """Give the sides of a canvas that FFTs are quick on, with room for `reach` px beyond every rim."""
    return scipy.fft.next_fast_len(height + 2 * reach[0], real=True), scipy.fft.next_fast_len(width + 2 * reach[1], real=True)


def continued(plane: Frame, canvas: tuple[int, int]) -> Frame:
    """Continue a plane ``[H,W]`` to the right and below up to `canvas`, so that it meets itself on the other side without a step.

    Each gap fades from the mirror image at one rim to the mirror image at the other.
    """
    for axis, length in enumerate(canvas):
        plane = _continued_along(plane, axis, length)
    return as_float32(plane)


def _continued_along(plane: Frame, axis: int, length: int) -> Frame:
    size = plane.shape[axis]
    gap = length - size
    if gap == 0:
        return plane
    places = np.arange(gap)
    after = np.take(plane, _mirrored(size + places, size), axis=axis)
    before = np.take(plane, _mirrored(places - gap, size), axis=axis)
    fade = (0.5 - 0.5 * np.cos(np.pi * (places + 1) / (gap + 1))).astype(np.float32)
    fade = fade.reshape([gap if i == axis else 1 for i in range(2)])
    return np.concatenate((plane, after + fade * (before - after)), axis=axis)


def _mirrored(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Fold places outside 0..size-1 back, the rim repeated, as often as needed."""
    folded = places % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)
