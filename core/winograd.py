"""3x3 convolutions on the CPU by Winograd's minimal filtering: a quarter of the multiplications of the direct way, in float32.

Tiles of 4x4 pixels are made from 6x6: F(4x4, 3x3), interpolation points 0, 1, -1, 2, -2 and infinity. A convolution is `to_points`,
one matrix product a point, and `from_points`. `convolve` does all three for a run of tiles at a time, while they lie in a core's
cache; that suits layers of few channels. (All kernels are in this file, since numba's disk cache looks at one file only.)

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; Winograd, "Arithmetic complexity of
computations", SIAM 1980.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_float32, contiguous
from .compiled import compiled

Floats = NDArray[np.float32]

POINTS = 36

RUN = 32
"""Tiles that `convolve` works on together. Their number is fixed, so that how work is shared among threads never shows in the result."""

LARGEST_PRODUCT = 2**18
"""Multiplications of one matrix product up to which BLAS keeps to the thread that calls it."""

# Rows are the interpolation points: what a kernel [a, b, c] is at each of them, scaled.
_KERNEL_AT_POINTS = np.array([
    [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]])


def transformed(kernels: Any) -> Floats:
    """Bring kernels ``[O,I,3,3]`` to the points, ``[36,I,O]``; worked out in float64."""
    out, into = kernels.shape[:2]
    at_points = np.einsum("pa,oiab,qb->pqio", _KERNEL_AT_POINTS, kernels.astype(np.float64), _KERNEL_AT_POINTS)
    return contiguous(as_float32(at_points.reshape(POINTS, into, out)))


def tiles(height: int, width: int) -> int:
    """Count the tiles of a picture."""
    return -(-height // 4) * -(-width // 4)


@compiled
def to_points(picture: Floats, first: int, last: int, seen: Floats, place: int, channel: int) -> None:
    """Bring tiles first..last-1 of a picture, with zeros beyond its edges, to the points.

    Args:
        picture: ``[H,W,I]``, C-contiguous.
        first: tile to begin with; tiles are counted row by row.
        last: tile after the last one.
        seen: ``[36,N,I']``, C-contiguous; written from `place` and `channel` on.
        place: of tile `first` in `seen`.
        channel: of the picture's first channel in `seen`.
    """
    height, width, into = picture.shape
    across = (width + 3) // 4
    two, four, five, zero = np.float32(2), np.float32(4), np.float32(5), np.float32(0)
    tile = np.empty((6, 6 * into), np.float32)
    half = np.empty((6, 6 * into), np.float32)
    for at in range(first, last):
        n = place + at - first
        top, left = at // across * 4 - 1, at % across * 4 - 1
        for i in range(6):
            row = top + i
            for j in range(6):
                column = left + j
                if 0 <= row < height and 0 <= column < width:
                    for k in range(into):
                        tile[i, j * into + k] = picture[row, column, k]
                else:
                    for k in range(into):
                        tile[i, j * into + k] = zero
        for k in range(6 * into):
            a1, a2, a3, a4 = tile[1, k], tile[2, k], tile[3, k], tile[4, k]
            even, odd = a4 - four * a2, a3 - four * a1
            half[0, k] = four * tile[0, k] - five * a2 + a4
            half[1, k] = even + odd
            half[2, k] = even - odd
            even, odd = a4 - a2, two * (a3 - a1)
            half[3, k] = even + odd
            half[4, k] = even - odd
            half[5, k] = four * a1 - five * a3 + tile[5, k]
        for i in range(6):
            for k in range(into):
                a1, a2, a3, a4 = half[i, into + k], half[i, 2 * into + k], half[i, 3 * into + k], half[i, 4 * into + k]
                even, odd = a4 - four * a2, a3 - four * a1
                seen[i * 6, n, channel + k] = four * half[i, k] - five * a2 + a4
                seen[i * 6 + 1, n, channel + k] = even + odd
                seen[i * 6 + 2, n, channel + k] = even - odd
                even, odd = a4 - a2, two * (a3 - a1)
                seen[i * 6 + 3, n, channel + k] = even + odd
                seen[i * 6 + 4, n, channel + k] = even - odd
                seen[i * 6 + 5, n, channel + k] = four * a1 - five * a3 + half[i, 5 * into + k]


@compiled
def from_points(made: Floats, place: int, first: int, last: int, bias: Floats, slope: Floats, out: Floats) -> None:
    """Bring products back to tiles first..last-1 of a picture, add the bias, and multiply what is negative by the slope.

    Args:
        made: ``[36,N,O]``; read from `place` on.
        place: of tile `first` in `made`.
        first: tile to begin with.
        last: tile after the last one.
        bias: ``[O]``.
        slope: ``[O]``; 1 for no activation, 0 for ReLU.
        out: ``[H,W,O]``, C-contiguous; written where these tiles lie.
    """
    height, width, channels = out.shape
    across = (width + 3) // 4
    two, four, eight, zero = np.float32(2), np.float32(4), np.float32(8), np.float32(0)
    back = np.empty((4, 6, channels), np.float32)
    for at in range(first, last):
        n = place + at - first
        top, left = at // across * 4, at % across * 4
        for j in range(6):
            for k in range(channels):
                m1, m2, m3, m4 = made[6 + j, n, k], made[12 + j, n, k], made[18 + j, n, k], made[24 + j, n, k]
                s, d, s2, d2 = m1 + m2, m1 - m2, m3 + m4, m3 - m4
                back[0, j, k] = made[j, n, k] + s + s2
                back[1, j, k] = d + two * d2
                back[2, j, k] = s + four * s2
                back[3, j, k] = d + eight * d2 + made[30 + j, n, k]
        for i in range(min(4, height - top)):
            for k in range(channels):
                m1, m2, m3, m4 = back[i, 1, k], back[i, 2, k], back[i, 3, k], back[i, 4, k]
                s, d, s2, d2 = m1 + m2, m1 - m2, m3 + m4, m3 - m4
                back[i, 0, k] = back[i, 0, k] + s + s2
                back[i, 1, k] = d + two * d2
                back[i, 2, k] = s + four * s2
                back[i, 3, k] = d + eight * d2 + back[i, 5, k]
            for j in range(min(4, width - left)):
                for k in range(channels):
                    value = back[i, j, k] + bias[k]
                    out[top + i, left + j, k] = value if value > zero else value * slope[k]


def fits(into: int, out: int) -> bool:
    """Say whether a convolution from so many channels to so many is of a size that `convolve` is fast for."""
    return RUN * into * out <= LARGEST_PRODUCT


def runs(height: int, width: int) -> int:
    """Count the runs of tiles of a picture."""
    return -(-tiles(height, width) // RUN)


@compiled
def convolve(picture: Floats, kernels: Floats, bias: Floats, slope: Floats, first: int, last: int, out: Floats) -> None:
    """Convolve with zeros beyond the edges, add the bias, and multiply what is negative by the slope; runs first..last-1 of the tiles.

    Args:
        picture: ``[H,W,I]``, C-contiguous.
        kernels: ``[36,I,O]`` of `transformed`.
        bias: ``[O]``.
        slope: ``[O]``; 1 for no activation, 0 for ReLU.
        first: run to begin with.
        last: run after the last one.
        out: ``[H,W,O]``, C-contiguous; written where these runs' tiles lie.
    """
    height, width, into = picture.shape
    count = (height + 3) // 4 * ((width + 3) // 4)
    # One row more than a run has, so that the 36 planes do not fall on the same lines of the cache.
    seen = np.zeros((36, RUN + 1, into), np.float32)
    made = np.zeros((36, RUN + 1, out.shape[2]), np.float32)
    for run in range(first, last):
        start, stop = run * RUN, min((run + 1) * RUN, count)
        to_points(picture, start, stop, seen, 0, 0)
        for p in range(36):
            np.dot(seen[p, :RUN], kernels[p], made[p, :RUN])
        from_points(made, 0, start, stop, bias, slope, out)


@compiled
def convolve_points(seen: Floats, kernels: Floats, bias: Floats, slope: Floats, first: int, last: int, run: int, out: Floats) -> None:
    """Convolve what is at the points already, add the bias, and multiply what is negative by the slope; runs first..last-1 of the tiles.

    Args:
        seen: ``[36,N,I']`` of `to_points`, of which the first I channels count.
        kernels: ``[36,I,O]`` of `transformed`.
        bias: ``[O]``.
        slope: ``[O]``; 1 for no activation, 0 for ReLU.
        first: run to begin with.
        last: run after the last one.
        run: tiles of a run; ``run * I * O`` is at most `LARGEST_PRODUCT`.
        out: ``[H,W,O]``, C-contiguous; written where these runs' tiles lie.
    """
    count, into = seen.shape[1], kernels.shape[1]
    some = np.zeros((run, into), np.float32)
    made = np.zeros((36, run + 1, out.shape[2]), np.float32)
    for at in range(first, last):
        start, stop = at * run, min((at + 1) * run, count)
        for p in range(36):
            for n in range(start, stop):
                for k in range(into):
                    some[n - start, k] = seen[p, n, k]
            np.dot(some, kernels[p], made[p, :run])
        from_points(made, 0, start, stop, bias, slope, out)
