"""What follows from an autocorrelation: power spectrum, variances of DCT coefficients, autoregressive coefficients, grain size."""
from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.fft import dct

from ...arrays import as_float64
from .blocks import Floats, lag_grid

Lags = tuple[tuple[float, ...], ...]
"""A normalised autocorrelation: rows are lags down 0..L, columns lags to the right -L..L, 1 at lag (0, 0)."""

WHITE: Lags = ((0.0, 1.0, 0.0), (0.0, 0.0, 0.0))
"""The autocorrelation of white noise."""


def plane_of(lags: Lags) -> Floats:
    """Give the whole autocorrelation ``[2 L + 1, 2 L + 1]``, lag (0, 0) in the middle."""
    half = np.array(lags)
    return np.concatenate((half[:0:-1, ::-1], half))


def lags_from(half: Floats) -> Lags:
    """Give an autocovariance ``[L + 1, 2 L + 1]`` normalised, as plain numbers; white where there is no variance."""
    variance = half[0, half.shape[1] // 2]
    if not variance > 0:
        return WHITE
    return tuple(tuple(round(float(value), 6) for value in row) for row in half / variance)


def gaussian_lags(blur: float, lags: int = 8) -> Lags:
    """Give the autocorrelation of white noise that went through a Gaussian of `blur` px; 0 is white."""
    down, right = lag_grid(lags)
    squared = down**2 + right**2
    return lags_from(np.exp(-squared / (4 * blur**2)) if blur > 0.05 else (squared == 0) * 1.0)


def power_spectrum(lags: Lags, height: int, width: int) -> Floats:
    """Give the power spectrum on the grid of a ``[height,width]`` Fourier transform, never negative, mean 1."""
    return np.array(_power_spectrum(lags, height, width))


@lru_cache(maxsize=32)
def _power_spectrum(lags: Lags, height: int, width: int) -> Floats:
    whole = plane_of(lags)
    reach = len(lags) - 1
    torus = np.zeros((height, width))
    offsets = np.arange(-reach, reach + 1)
    np.add.at(torus, np.ix_(offsets % height, offsets % width), whole)
    # What sampling leaves below nothing is nothing; the floor keeps a Wiener gain from dividing by it.
    spectrum = np.maximum(np.fft.fft2(torus).real, 1e-4)
    return as_float64(spectrum / spectrum.mean())


def dct_variances(lags: Lags, size: int) -> Floats:
    """Give the variance of every orthonormal 2-D DCT-II coefficient of a ``size x size`` block of noise of variance 1; exact up to L."""
    basis = dct(np.eye(size), axis=0, norm="ortho")
    own = np.array([np.correlate(row, row, "full") for row in basis])  # [size, 2 size - 1], lag 0 in the middle
    reach = min(len(lags) - 1, size - 1)
    middle = len(lags) - 1
    near = plane_of(lags)[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    part = own[:, size - 1 - reach : size + reach]
    return as_float64(np.maximum(part @ near @ part.T, 1e-4))


def radial_spectrum(lags: Lags, bands: int = 16, size: int = 64) -> Floats:
    """Give the mean power in rings of equal width from 0 to 0.5 cycles a pixel, ``[bands]``; white noise has 1 everywhere."""
    spectrum = power_spectrum(lags, size, size)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    ring = np.minimum((frequency * 2 * bands).astype(int), bands)
    return np.array([spectrum[ring == band].mean() for band in range(bands)])


def correlation_size(lags: Lags) -> float:
    """Give the size of a grain in px: the side of the square whose area is the sum of the autocorrelation; white noise has 1.

    Noise blurred by a Gaussian of s px has ``2 sqrt(pi) s`` (1.5 px: 5.3).
    """
    return float(np.sqrt(max(plane_of(lags).sum(), 0.0)))


def causal_offsets(lag: int) -> list[tuple[int, int]]:
    """List the pixels (down, right) before a pixel in scan order within `lag`, as AV1 orders its coefficients."""
    return [(y, x) for y in range(-lag, 1) for x in range(-lag, lag + 1) if (y, x) < (0, 0)]


def autoregression(lags: Lags, lag: int = 3, white: float = 1e-3) -> tuple[Floats, float]:
    """Fit ``x(p) = sum of a_k x(p + offset_k) + e`` by the Yule-Walker equations.

    Args:
        lags: the autocorrelation; lags farther than it holds count as 0.
        lag: reach of the offsets, px (AV1: 0..3).
        white: share of white noise that is added first; a smooth noise makes the equations nearly singular without.

    Returns:
        Coefficients in the order of `causal_offsets`, and the variance of e for noise of variance 1.
    """
    whole, reach = plane_of(lags), len(lags) - 1

    def at(down: int, right: int) -> float:
        inside = abs(down) <= reach and abs(right) <= reach
        return float(whole[reach + down, reach + right]) if inside else 0.0

    offsets = causal_offsets(lag)
    if not offsets:
        return np.zeros(0), 1.0
    matrix = np.array([[at(y - v, x - u) for v, u in offsets] for y, x in offsets])
    right_side = np.array([at(y, x) for y, x in offsets])
    coefficients = np.linalg.solve(matrix + white * np.eye(len(offsets)), right_side)
    return coefficients, max(float(1 - coefficients @ right_side), 1e-6)
