"""The repair of NaN and infinite values in a frame."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .arrays import Frame

_AT_ONCE = 1 << 16  # bad values whose neighbours are gathered together: 25 float32 each


def repair_nonfinite(frame: Frame, out: Frame) -> None:
    """Replace NaN and infinity by what is around them, channel by channel; finite values keep their bits.

    A bad value becomes the median of the finite ones among its 3x3 neighbours, else of its 5x5 neighbours, else the finite value
    that is nearest; a channel without any becomes 0.

    Args:
        frame: ``[H,W,C]``.
        out: the same shape; may be `frame`.
    """
    if frame is not out:
        np.copyto(out, frame)
    good = np.isfinite(out)
    if good.all():
        return
    for c in range(out.shape[-1]):
        if not good[..., c].all():
            _repair_plane(out[..., c], good[..., c])


def _repair_plane(plane: Frame, good: NDArray[np.bool_]) -> None:
    """Repair one ``[H,W]`` plane in place; medians are taken of the values as they came."""
    if not good.any():
        plane[...] = 0
        return
    source = np.pad(np.where(good, plane, np.float32(np.nan)), 2, constant_values=np.nan)
    places = np.argwhere(~good)
    left = []
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        for radius in (1, 2):
            medians, found = _medians(source, some, radius)
            plane[some[found, 0], some[found, 1]] = medians[found]
            some = some[~found]
        left.append(some)
    alone = np.concatenate(left)
    if len(alone):
        nearest = ndimage.distance_transform_edt(~good, return_distances=False, return_indices=True)
        rows, columns = nearest[:, alone[:, 0], alone[:, 1]]
        plane[alone[:, 0], alone[:, 1]] = plane[rows, columns]


def _medians(source: Frame, places: NDArray[np.int64], radius: int) -> tuple[Frame, NDArray[np.bool_]]:
    """Give the medians of the finite values around places of a plane padded by 2 px of NaN, and where there are any."""
    steps = np.arange(2 - radius, 3 + radius)
    around = source[places[:, 0, None, None] + steps[:, None], places[:, 1, None, None] + steps].reshape(-1, len(steps) ** 2)
    around = np.sort(around, axis=1)  # NaN goes last
    count = np.isfinite(around).sum(axis=1)
    every = np.arange(len(places))
    low, high = around[every, np.maximum(count - 1, 0) // 2], around[every, count // 2]
    return (low + high) * np.float32(0.5), count > 0
