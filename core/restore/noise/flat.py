"""Which blocks are flat: calm in every band of frequency, level by level of brightness.

Texture and shading raise the slow bands long before they show in a block's whole variance.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincinv

from .blocks import Floats

LEVELS = 16
"""Levels of brightness in which noise is measured apart; level i is round (i + 1/2) / LEVELS."""

SLOW = 2
"""Of the lowest bands, which betray texture and shading."""

_FEWEST = 6  # blocks in a level that are looked at
_AGREEING = 3  # flat ones among them that are believed
_CALM = 0.08  # the quantile from which the search for the flat blocks starts
_SPREADS = 2.0  # standard deviations above the flat blocks' mean variance up to which a block is taken for flat
_ROUNDS = 40
_AS_WELL = 0.6  # share of the flat blocks of a level that another needs to be held against it
_SLOW_CALM = 0.25  # the quantile of their energies, among blocks calm as a whole, that is taken for noise alone


def calm_variance(variances: NDArray[Any], samples: float) -> tuple[float, float]:
    """Find the variance of the flat blocks among textured ones.

    The variance of a flat block spreads as chi-square over its `samples`; texture only adds. From the calmest blocks upwards, the
    set of those below a bound is widened until its mean, corrected for being cut off there, no longer moves.

    Args:
        variances: ``[n]``, not empty.
        samples: independent values in a block (`blocks.band_sizes`).

    Returns:
        The mean variance of flat blocks, and the bound below which a block was taken for flat.
    """
    shape = samples / 2
    bound = 1 + _SPREADS * np.sqrt(2 / samples)
    cut_mean = gammainc(shape + 1, shape * bound) / gammainc(shape, shape * bound)  # of chi-square / n below the bound
    calm = float(np.quantile(variances, _CALM)) * shape / float(gammaincinv(shape, _CALM))
    for _ in range(_ROUNDS):
        flat = variances[variances <= bound * calm]
        if not flat.size:
            break
        better = float(flat.mean()) / cut_mean
        if abs(better - calm) <= 1e-4 * calm:
            break
        calm = better
    return calm, bound * calm


def levels_of(means: NDArray[Any]) -> NDArray[np.int64]:
    """Give the level of brightness of each mean (0..1)."""
    return np.asarray(np.clip(means * LEVELS, 0, LEVELS - 1), np.int64)


def flat_blocks(
    means: NDArray[Any], variances: NDArray[Any], energies: NDArray[Any], samples: float, sizes: Floats
) -> NDArray[np.bool_]:
    """Find the flat blocks of each level of brightness.

    Args:
        means: ``[n]``, 0..1.
        variances: ``[n]``.
        energies: ``[n,BANDS]``.
        samples: independent values in a block, as a whole.
        sizes: the same in each band, ``[BANDS]``.

    Returns:
        ``[n]``; a level where too few agree has none, unless that is so everywhere: then the calmest of all blocks stand for all.
    """
    levels = levels_of(means)
    flat = np.zeros(len(means), bool)
    for level in range(LEVELS):
        here = np.flatnonzero(levels == level)
        if len(here) >= _FEWEST:
            found = here[calm_blocks(variances[here], energies[here], samples, sizes)]
            flat[found] = len(found) >= _AGREEING
    return flat if flat.any() or not len(means) else calm_blocks(variances, energies, samples, sizes)


def calm_blocks(variances: NDArray[Any], energies: NDArray[Any], samples: float, sizes: Floats) -> NDArray[np.bool_]:
    """Say which blocks are calm as a whole and in the slow bands; of the arguments of `flat_blocks`."""
    calm = variances <= calm_variance(variances, samples)[1]
    for band in range(SLOW):
        shape = sizes[band] / 2
        alone = np.quantile(energies[calm, band], _SLOW_CALM) * shape / gammaincinv(shape, _SLOW_CALM)
        calm &= energies[:, band] <= alone * (1 + _SPREADS * np.sqrt(1 / shape))
    return calm


def smooth_curve(sigmas: Floats, counts: NDArray[Any]) -> Floats:
    """Bring the sigma of every level (``[LEVELS]``, NaN where there is none) to a curve over all levels.

    Where a level stands higher above one that is known as well than any concave curve with ends at 0 could, texture
    was taken for noise, and it is brought down to that. Then neighbours are averaged by their counts, and gaps filled linearly.
    """
    place = (np.arange(LEVELS) + 0.5) / LEVELS
    known = np.flatnonzero(np.isfinite(sigmas))
    if not len(known):
        return np.zeros(LEVELS)
    curve = sigmas.copy()
    for level in known:
        for better in known[counts[known] >= _AS_WELL * counts[level]]:
            most = max(place[level] / place[better], (1 - place[level]) / (1 - place[better]))
            curve[level] = min(curve[level], sigmas[better] * most)
    smooth = np.zeros(len(known))
    for n, level in enumerate(known):
        near = known[abs(known - level) <= 1]
        weights = counts[near] * np.where(near == level, 2.0, 0.5)
        smooth[n] = np.sqrt((weights * curve[near] ** 2).sum() / weights.sum())
    return np.asarray(np.interp(np.arange(LEVELS), known, smooth))
