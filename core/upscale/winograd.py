"""A convolution in runs of tiles: points, products and picture while they lie in a core's cache; for layers of few channels."""
from __future__ import annotations

import numpy as np

from ..compiled import compiled
from ..winograd import Floats, from_points, tiles, to_points

RUN = 32
"""Tiles that are worked on together. Their number is fixed, so that how work is shared among threads never shows in the result."""

LARGEST_PRODUCT = 2**18
"""Multiplications of one matrix product up to which BLAS keeps to the thread that calls it."""


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
        to_points(picture, start, stop, seen, 0)
        for p in range(36):
            np.dot(seen[p, :RUN], kernels[p], made[p, :RUN])
        from_points(made, 0, start, stop, bias, slope, out)
