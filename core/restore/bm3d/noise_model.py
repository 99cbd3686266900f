"""What the noise is: how strong in luma and in chroma, and how its pixels are correlated."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import as_float64

LAGS = 7
"""Correlation is kept for shifts of up to 7 px, all that an 8x8 block can see."""

Correlation = NDArray[np.float64]
"""Autocorrelation ``[15,15]``: 1 at ``[7,7]``, the correlation of pixels ``(dy, dx)`` apart at ``[7 + dy, 7 + dx]``."""


class NoiseError(ValueError):
    """A noise that cannot be: the message says what came and what is wanted."""


@dataclass(frozen=True)
class Noise:
    """Stationary noise added to a picture, independent from frame to frame.

    Levels count in steps of 255. They hold in an orthonormal colour space, so noise of the same level in R, G and B and independent
    there has that level in luma and in both chromas. Source of the coloured noise: Mäkinen, Azzari and Foi, "Collaborative filtering
    of correlated noise", IEEE TIP 29, 2020.

    Attributes:
        sigma: standard deviation in luma, or of gray; 0 or more.
        chroma_sigma: the same in either chroma; None takes `sigma`.
        correlation: ``[15,15]`` autocorrelation of the luma's noise; None is white.
        chroma_correlation: the same in chroma; None takes the luma's.

    Raises:
        NoiseError: a level that is negative or not finite; a correlation of another shape, or not symmetric around 1.
    """

    sigma: float
    chroma_sigma: float | None = None
    correlation: Correlation | None = field(default=None, compare=False, repr=False)
    chroma_correlation: Correlation | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check the levels and the correlations."""
        for name, level in (("sigma", self.sigma), ("chroma_sigma", self.chroma_sigma)):
            if level is not None and not (math.isfinite(level) and level >= 0):
                raise NoiseError(f"{name} is {level!r}; a finite level of 0 or more is wanted, in steps of 255.")
        for name, table in (("correlation", self.correlation), ("chroma_correlation", self.chroma_correlation)):
            if table is not None:
                object.__setattr__(self, name, _checked(table, name))

    def level(self, *, chroma: bool) -> float:
        """Give the standard deviation of luma or chroma, in steps of 255."""
        return self.chroma_sigma if chroma and self.chroma_sigma is not None else self.sigma

    def correlation_of(self, *, chroma: bool) -> Correlation | None:
        """Give the autocorrelation of luma or chroma; None is white."""
        return self.chroma_correlation if chroma and self.chroma_correlation is not None else self.correlation

    def block_variances(self, analysis: NDArray[np.float64], *, chroma: bool = False) -> NDArray[np.float64]:
        """Give the variance of every coefficient of a separable 8x8 block transform, ``[8,8]`` (vertical, horizontal), in 0..1 squared.

        Args:
            analysis: the 1-D transform, ``[8,8]``, one basis function a row.
            chroma: of chroma instead of luma.
        """
        variance = (self.level(chroma=chroma) / 255) ** 2
        correlation = self.correlation_of(chroma=chroma)
        if correlation is None:
            energy = (analysis**2).sum(axis=1)
            return np.asarray(variance * np.outer(energy, energy), np.float64)
        own = np.stack([np.correlate(row, row, "full") for row in analysis])  # [8,15], the basis functions' own autocorrelation
        return np.asarray(variance * np.maximum(own @ correlation @ own.T, 1e-6), np.float64)


def correlation_of_kernel(kernel: NDArray[Any]) -> Correlation:
    """Give the autocorrelation of white noise filtered by a kernel of any size ``[h,w]``.

    Raises:
        NoiseError: the kernel is no finite picture with energy.
    """
    taps = as_float64(kernel)
    if taps.ndim != 2 or not np.isfinite(taps).all() or not (taps**2).sum() > 0:
        raise NoiseError(f"kernel has shape {list(taps.shape)}; a finite [h,w] filter that is not all zero is wanted.")
    size = [2 * n + 2 * LAGS for n in taps.shape]
    return _central(np.abs(np.fft.fft2(taps, size)) ** 2)


def noise_of_psd(psd: NDArray[Any], chroma_psd: NDArray[Any] | None = None) -> Noise:
    """Make the noise whose power spectral density is given.

    Args:
        psd: ``[n,m]``, n, m >= 1, in FFT order (frequency 0 first), in squared steps of 255, so that its mean is the variance.
        chroma_psd: the same for either chroma plane of the orthonormal colour space; None takes the luma's.

    Raises:
        NoiseError: a spectrum that is not a finite, non-negative table.
    """
    sigma, correlation = _of_psd(psd, "psd")
    if chroma_psd is None:
        return Noise(sigma, correlation=correlation)
    chroma_sigma, chroma_correlation = _of_psd(chroma_psd, "chroma_psd")
    return Noise(sigma, chroma_sigma, correlation, chroma_correlation)


def _of_psd(psd: NDArray[Any], name: str) -> tuple[float, Correlation]:
    power = as_float64(psd)
    if power.ndim != 2 or not power.size or not np.isfinite(power).all() or (power < 0).any():
        raise NoiseError(f"{name} has shape {list(power.shape)}; a finite spectrum [n,m] of powers of 0 or more is wanted.")
    variance = float(power.mean())
    return math.sqrt(variance), _central(power) if variance > 0 else _central(np.ones((1, 1)))


def _central(power: NDArray[np.float64]) -> Correlation:
    """The autocorrelation of a spectrum at shifts of up to 7 px; a small spectrum's is cut where it would repeat."""
    around = np.fft.fftshift(np.fft.ifft2(power).real)
    around = (around + np.roll(around[::-1, ::-1], [(n + 1) % 2 for n in around.shape], (0, 1))) / 2
    table = np.zeros((2 * LAGS + 1, 2 * LAGS + 1))
    reach = [min(LAGS, (n - 1) // 2) for n in around.shape]
    middle = [n // 2 for n in around.shape]
    inner = around[middle[0] - reach[0] : middle[0] + reach[0] + 1, middle[1] - reach[1] : middle[1] + reach[1] + 1]
    table[LAGS - reach[0] : LAGS + reach[0] + 1, LAGS - reach[1] : LAGS + reach[1] + 1] = inner / around[middle[0], middle[1]]
    return table


def _checked(table: Correlation, name: str) -> Correlation:
    made = as_float64(table)
    side = 2 * LAGS + 1
    if made.shape != (side, side) or not np.isfinite(made).all():
        raise NoiseError(f"{name} has shape {list(made.shape)}; finite values [{side},{side}] are wanted, shifts of -7 to 7 px.")
    if abs(made[LAGS, LAGS] - 1) > 1e-6 or not np.allclose(made, made[::-1, ::-1], atol=1e-6):
        raise NoiseError(f"{name} must be 1 in the middle and the same when turned by half a turn.")
    return made
