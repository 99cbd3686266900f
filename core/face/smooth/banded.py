"""Banded least squares for paths: the normal equations of data, difference and step terms, solved by Cholesky (LAPACK pbsv)."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from ..fill import Flags

Complexes = NDArray[np.complex128]
Series = NDArray[np.float64]

_CAUCHY = 2.385
"""Tuning constant of Cauchy's weight: 95 % efficiency on Gaussian noise."""


class Normal:
    """Normal equations of ``count`` frames, ``points`` complex unknowns each, with links between frames up to `width` apart."""

    def __init__(self, count: int, points: int, width: int) -> None:
        self._band = np.zeros((min(width, max(1, count - 1)) + 1, count), np.complex128)  # lower form: band[k, j] = H[j + k, j]
        self._right = np.zeros((count, points), np.complex128)

    def add_differences(self, order: int, weights: Series) -> None:
        """Add ``weights[i] |difference of order `order` at frames i..i+order|^2``, weights ``[count - order]``."""
        taps = np.array([1.0])
        for _ in range(order):
            taps = np.convolve(taps, [1.0, -1.0])
        for a in range(order + 1):
            for b in range(a + 1):
                self._band[a - b, b : b + len(weights)] += weights * taps[a] * taps[b]

    def add_steps(self, factor: Complexes, shift: Complexes, weights: Series) -> None:
        """Add ``weights[t] |x[t+1] - factor[t] x[t] - shift[t]|^2``, all ``[count - 1]``."""
        if not len(weights):
            return
        self._band[0, :-1] += weights * np.abs(factor) ** 2
        self._band[0, 1:] += weights
        self._band[1, :-1] -= weights * factor
        self._right[:-1] -= (weights * np.conj(factor) * shift)[:, None]
        self._right[1:] += (weights * shift)[:, None]

    def solve(self, weights: Series, wanted: Complexes) -> Complexes:
        """Solve with data terms ``weights[t] |x[t] - wanted[t]|^2``; `weights` ``[count]``, not all zero, `wanted` ``[count,points]``."""
        band = self._band.copy()
        band[0] += weights + 1e-9 * (1 + weights.max())  # the ridge pulls frames that nothing else holds to `wanted`
        ridge = 1e-9 * (1 + weights.max())
        solve: Any = solveh_banded
        solved: Complexes = solve(band, self._right + (weights + ridge)[:, None] * wanted, lower=True)
        return solved


def cauchy_weights(errors: Series, found: Flags, floor: float) -> Series:
    """Give Cauchy weights ``[T]`` of errors (px), scaled by their own robust deviation, at least `floor` px; 0 where not found.

    The floor keeps a track with hardly any noise from taking for strays the frames that it bends most.
    """
    scale = max(floor, 1.4826 * float(np.median(errors[found]))) if found.any() else floor
    weights: Series = np.where(found, 1 / (1 + (errors / (_CAUCHY * scale)) ** 2), 0.0)
    return weights


def least_deviation(points: Complexes) -> float:
    """Give the deviation (px) under which no detector lies: 0.4 % of the shape's extent, its points' mean distance from their middle."""
    spread = float(np.median(np.abs(points - points.mean(1, keepdims=True)).mean(1)))
    return max(0.05, 0.004 * spread)
