"""One frame: what it shows, the tone curves that follow, and from those a gain and an offset, smooth but for the picture's own edges."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, as_float32, as_float64
from .features import GRID, features
from .tones import BANDS, BINS, KNOTS, NOISE_STEPS, changes, difference_counts, guided_share, limited_curve, tile_counts

Histograms = NDArray[np.float64]
"""Pixels by bin: whole numbers for one frame, averages for many."""

SIDE = 512
"""The plane that curves are fitted to is sampled so that its shorter side stays at least this long."""

_WINDOW = 1 / 56  # radius of the guided filter's window, in shorter sides of the plane
_LEAST = 2e-5  # variance of lightness that counts as nothing
_TIMES = 24.0  # the variance of noise is multiplied by this before texture is told from it
_CALM = 0.2  # quantile of the differences that is taken for noise alone
_CALM_OF_NORMAL = 0.2533471  # that quantile of the absolute normal distribution
_FEWEST = 200  # differences in a band, under which it is not asked
_NOISY = 0.012  # noise, of lightness, at which half of the clip limit's excess over 1 is left in the shadows
_SHADOW, _LIGHT = 0.30, 0.60  # lightness under which all of that holds, and over which none of it does


def step_of(height: int, width: int) -> int:
    """Give the distance of samples, px, for frames of this size."""
    return max(1, min(height, width) // SIDE)


@dataclass(frozen=True, eq=False)
class Look:
    """What one frame shows, or many on average."""

    tiles: Histograms
    """``[rows,columns,BINS]``: lightness by tile."""
    differences: Histograms
    """``[BANDS,NOISE_STEPS]``: sizes of second differences by lightness."""

    @property
    def noise(self) -> NDArray[np.float32]:
        """Estimate the deviation of the noise in each band of lightness, ``[BANDS]``.

        The calmest fifth of a band's differences counts, so texture hardly does. A band with few pixels takes its nearest neighbours'.
        """
        found = np.full(BANDS, np.nan)
        for band in range(BANDS):
            total = self.differences[band].sum()
            if total >= _FEWEST:
                below = np.cumsum(self.differences[band])
                i = int(np.searchsorted(below, _CALM * total))
                part = (_CALM * total - (below[i - 1] if i else 0)) / max(self.differences[band, i], 1)
                found[band] = (i + part) / (4 * NOISE_STEPS) / _CALM_OF_NORMAL
        known = np.flatnonzero(np.isfinite(found))
        if not len(known):
            return np.zeros(BANDS, np.float32)
        return as_float32(np.interp(np.arange(BANDS), known, found[known]))

    def features(self) -> NDArray[np.float64]:
        """Describe it in the numbers that `features.FEATURES` names."""
        return features(self.tiles, self.noise)

    def joined(self, tiles: int) -> Histograms:
        """Give the histograms of `tiles` by `tiles` tiles (fewer on a frame of fewer pixels), 1 on average in each."""
        rows, columns = (np.arange(n) * min(tiles, n) // n for n in self.tiles.shape[:2])
        sums = np.zeros((int(rows[-1]) + 1, int(columns[-1]) + 1, BINS))
        np.add.at(sums, (rows[:, None], columns[None, :]), self.tiles)
        means = sums.mean(-1, keepdims=True)
        return np.where(means > 0, sums / np.maximum(means, 1e-12), 1.0)  # a tile without a counted pixel keeps its tones


def look(plane: Frame, tiles: int = GRID) -> Look:
    """Look at the lightness ``[h,w]``, 0..1, of a frame.

    Args:
        plane: as `colour.samples` gives it.
        tiles: along each side; fewer on a plane of fewer pixels.
    """
    counts = np.zeros((min(tiles, plane.shape[0]), min(tiles, plane.shape[1]), BINS), np.int64)
    differences = np.zeros((BANDS, NOISE_STEPS), np.int64)
    tile_counts(plane, counts)
    difference_counts(plane, differences)
    return Look(as_float64(counts), as_float64(differences))


def limits(clip: float, noise: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give the clip limit of every bin, ``[BINS]``: `clip`, though nearer to 1 where noise lies in the shadows."""
    lightness = (np.arange(BINS) + 0.5) / BINS
    sigma = np.interp(lightness, (np.arange(BANDS) + 0.5) / BANDS, noise)
    dark = np.clip((_LIGHT - lightness) / (_LIGHT - _SHADOW), 0, 1)
    bound = max(clip, 1.0)
    return 1 + (bound - 1) / (1 + dark * (sigma / _NOISY) ** 2)


def curves_of(shares: NDArray[np.float64], clip: float, noise: NDArray[np.float32], locality: float) -> Frame:
    """Give the tone curve of every tile.

    Args:
        shares: ``[rows,columns,BINS]``, histograms, 1 on average.
        locality: share of a tile's own histogram in what its curve is made of; the rest is the whole frame's.
        clip: the clip limit: no curve is steeper.
        noise: ``[BANDS]``.

    Returns:
        ``[rows,columns,KNOTS]``.
    """
    rows, columns, _ = shares.shape
    shares = locality * shares + (1 - locality) * shares.mean((0, 1))
    made, bounds = np.empty((rows, columns, KNOTS), np.float32), limits(clip, noise)
    for r in range(rows):
        for c in range(columns):
            limited_curve(shares[r, c], bounds, made[r, c])
    return made


def lines(plane: Frame, curves: Frame, noise: NDArray[np.float32]) -> tuple[Frame, Frame]:
    """Fit ``change = gain * p + offset`` to what the curves make of a plane, in windows: its guided filter, guided by itself.

    Where a window holds an edge or texture, the change follows the lightness; where it holds only noise, the change is even, so the
    noise keeps its size. Source: He and Sun, "Fast guided filter", arXiv:1505.00996, 2015.

    Args:
        plane: ``[h,w]``, lightness, 0..1.
        curves: ``[rows,columns,KNOTS]``.
        noise: ``[BANDS]``.

    Returns:
        Gain and offset, ``[h,w]`` each.
    """
    change = np.empty_like(plane)
    changes(plane, curves, change)
    side = 2 * max(1, round(min(plane.shape) * _WINDOW)) + 1
    window = (side, side)

    def smooth(values: Frame) -> Frame:
        return as_float32(cv2.blur(values, window, borderType=cv2.BORDER_REFLECT_101 if min(values.shape) > side else cv2.BORDER_REPLICATE))

    gain, offset = np.empty_like(plane), np.empty_like(plane)
    guided_share(smooth(plane), smooth(change), smooth(plane * plane), smooth(plane * change), noise, _LEAST, _TIMES, gain, offset)
    return smooth(gain), smooth(offset)
