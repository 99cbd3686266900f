"""Which blocks are flat: calm in every band of frequency, level by level of brightness.

Texture and shading raise the slow bands long before they show in a block's whole variance.
"""
from __future__ import annotations

from functools import cache
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
_ABOVE, _BELOW = 1.0, 0.3  # usual deviation of a block's log variance from the curve, where its level lies above or below the curve
_ROUGH = ((1, 0.3), (2, 0.2))  # usual first and second differences of the log variance from level to level
_FITS = 30
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

    The logarithm of the variance is fitted by penalised least squares: small first differences (a level nobody has seen is like its
    neighbour) and small second differences (noise follows luma smoothly), against levels that weigh as many as their blocks. A level
    above the curve weighs less than one below it, since texture only ever adds. That lower envelope is from Liu, Szeliski, Kang,
    Zitnick and Freeman, "Automatic estimation and removal of noise from a single image", IEEE TPAMI 30(2), 2008.

    Args:
        sigmas: ``[LEVELS]``.
        counts: ``[LEVELS]``, blocks that each was measured on.
    """
    known = np.flatnonzero(np.isfinite(sigmas) & (np.nan_to_num(sigmas) > 0) & (counts > 0))
    if not len(known):
        return np.zeros(LEVELS)
    wanted, weights = np.zeros(LEVELS), np.zeros(LEVELS)
    wanted[known] = 2 * np.log(sigmas[known])
    fitted = np.full(LEVELS, wanted[known][counts[known].argmax()])
    for _ in range(_FITS):
        spread = np.where(wanted > fitted, _ABOVE, _BELOW)
        weights[known] = (counts / spread**2)[known]
        better = np.linalg.solve(_roughness() + np.diag(weights), weights * wanted)
        if abs(better - fitted).max() < 1e-6:
            break
        fitted = better
    return np.asarray(np.exp(better / 2))


@cache
def _roughness() -> Floats:
    """Give the matrix R of the penalty ``f' R f`` of a curve over the levels."""
    return sum((part.T @ part for part in (np.diff(np.eye(LEVELS), order, axis=0) / usual for order, usual in _ROUGH)),
               np.zeros((LEVELS, LEVELS)))
