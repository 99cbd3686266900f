"""Point-spread functions: what a camera made of a single bright point."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, as_float32, as_float64
from ...settings import SettingError

Psf = NDArray[np.float64]
"""``[rows,columns]``, both odd, not negative, sum 1; the middle element is the place of the point itself."""

MOST = 101
"""Longest side of a point-spread function, px."""

_STEPS = 64  # samples a pixel along a line


def gaussian(size: tuple[int, int], sigma: float) -> Psf:
    """Sample a Gaussian.

    Args:
        size: rows and columns, both odd; what lies outside is cut off.
        sigma: standard deviation in px, above 0.

    Raises:
        SettingError: an even size, or one below 1, or a sigma of 0 or less.
    """
    if min(size) < 1 or not all(n % 2 for n in size):
        raise SettingError(f"the size of the point-spread function is {size[0]}x{size[1]}; both must be odd and at least 1.")
    if not sigma > 0:
        raise SettingError(f"the sigma of the point-spread function is {sigma:g}; it must be above 0 px.")
    rows, columns = (np.exp(-((np.arange(n) - n // 2) ** 2) / (2 * sigma**2)) for n in size)
    psf = np.outer(rows, columns)
    return as_float64(psf / psf.sum())


def motion(length: float, angle: float) -> Psf:
    """Draw the path of a camera that moved evenly along a straight line.

    The point's light is spread evenly over the line, and each piece of it over the four pixels around, by area.

    Args:
        length: of the line in px; 0 is no blur.
        angle: of the line in degrees, counter-clockwise from the horizontal, as the frame is seen.

    Raises:
        SettingError: a negative length.
    """
    if not length >= 0:
        raise SettingError(f"the length of the motion is {length:g}; it must be 0 px or more.")
    steps = max(1, math.ceil(length * _STEPS))
    along = ((np.arange(steps) + 0.5) / steps - 0.5) * length
    x, y = along * math.cos(math.radians(angle)), -along * math.sin(math.radians(angle))
    half = math.ceil(length / 2) + 1
    psf = np.zeros((2 * half + 1, 2 * half + 1))
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    for row in (0, 1):
        for column in (0, 1):
            share = (1 - np.abs(x - left - column)) * (1 - np.abs(y - top - row))
            np.add.at(psf, (top + row + half, left + column + half), share)
    return _trimmed(psf / psf.sum())


def from_picture(picture: Frame) -> Psf:
    """Read a point-spread function from a picture of it; its middle is the place of the point.

    Args:
        picture: ``[H,W,C]`` or ``[H,W]``; the mean over the channels counts, alpha (C = 4) does not. An even side gets a row or a
            column of zeros.

    Raises:
        SettingError: it has negative values, or is black.
    """
    plane = as_float64(picture if picture.ndim == 2 else picture[..., :3].mean(axis=2))
    if plane.min() < 0:
        raise SettingError(f"the picture of the point-spread function has values down to {plane.min():.3g}; light is never negative.")
    total = plane.sum()
    if total == 0:
        raise SettingError("the picture of the point-spread function is black; it must show where the light of one point went.")
    odd = np.pad(plane / total, [(0, 1 - n % 2) for n in plane.shape])
    return _trimmed(odd)


def shown(psf: Psf) -> Frame:
    """Give a point-spread function as a picture ``[H,W,3]``, its brightest place white."""
    return np.repeat(as_float32(psf / psf.max())[..., None], 3, axis=2)


def point_of(rows: Sequence[Sequence[float]]) -> Psf:
    """Read a point-spread function from plain numbers, rows of columns; brought to odd sides and sum 1 as `from_picture` does.

    Raises:
        SettingError: rows of different lengths, no finite numbers, negative ones, or all of them 0.
    """
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1 or not np.isfinite([value for row in rows for value in row]).all():
        raise SettingError("the point-spread function is no table; rows of finite numbers are wanted, all of one length.")
    return from_picture(as_float32(np.array(rows)))


def _trimmed(psf: Psf) -> Psf:
    """Cut rims of zeros, the same on opposite sides, so that the middle stays the middle."""
    rows, columns = (np.flatnonzero(psf.any(axis=axis)) for axis in (1, 0))
    cut = [min(int(used[0]), n - 1 - int(used[-1])) for used, n in zip((rows, columns), psf.shape, strict=True)]
    return as_float64(psf[cut[0] : psf.shape[0] - cut[0], cut[1] : psf.shape[1] - cut[1]])
