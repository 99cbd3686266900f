"""The whole-numbered autoregressive filter that makes AV1's grain: the one of its few bits whose spectrum is nearest to a wanted one."""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from ..noise.blocks import Floats
from ..noise.spectrum import WHITE, Lags, autoregression, causal_offsets, power_spectrum
from .template import template_sigma

SHIFTS = (9, 8, 7, 6)
"""Bits after the point that AV1 lets coefficients have."""

_GRID = 32  # px of the grid on which spectra are compared
_RINGS = 12  # of equal width, which count alike, however many frequencies they hold
_FIRM = (0.003, 0.01, 0.03, 0.06, 0.12, 0.25)  # white noise added before fitting
_FAINT = 0.01  # share of the strongest power, below which a spectrum may be anything below
_STEPS = 200
_TRIED = 3  # starts, the best ones, from which coefficients are moved
_NEAR = 3  # lags up to which the autocorrelation counts as well,
_CORRELATION = 700.0  # at so many square decibels for a mean square error of 1
_LOUDEST = 42.0  # standard deviation of a template, steps of 255, at which its values are hardly ever cut off at -128 and 127
_HONEST = 0.12  # how far the grain that a filter really makes may be from what its spectrum says; an unstable one's is far off


@dataclass(frozen=True)
class Filter:
    """Coefficients in units of ``2 ** -shift``, in the order of `spectrum.causal_offsets`, and how far off they are.

    Attributes:
        coeffs: -128 to 127.
        error: mean square error of the spectrum in dB, and of the autocorrelation.
        scale_shift: by how many bits the Gaussian sequence must be shifted down (0..3) for the template not to be cut off.
    """

    coeffs: tuple[int, ...]
    error: float
    scale_shift: int = 0


@lru_cache(maxsize=64)
def fitted_filter(lags: Lags, lag: int, shift: int) -> Filter:
    """Find a stable filter for an autocorrelation.

    The Yule-Walker equations with a little white noise added are the starts, one for each amount: smooth grain makes them nearly
    singular, and rounding their solution then changes the grain beyond recognition. From the best of them, coefficients are moved
    by ones as long as the grain gets nearer to the wanted one: by the mean square of decibels over rings of frequency, and by the mean
    square error of the autocorrelation at lags 1 to 3.

    Args:
        lags: the autocorrelation.
        lag: reach of the filter, px (0..3).
        shift: bits after the point (6..9).
    """
    if lag == 0:
        return Filter((), float(_errors(np.ones((1, _GRID * (_GRID // 2 + 1))), lags)[0]))
    rounded = [np.round(autoregression(lags, lag, firm)[0] * 2**shift) for firm in _FIRM]
    starts = {tuple(int(c) for c in start) for start in rounded if start.min() >= -128 and start.max() <= 127}
    found = [Filter(start, float(_errors(_response(start, lag, shift)[None], lags)[0])) for start in starts]
    tried = sorted(found, key=_by_error)[:_TRIED]
    for made in sorted([*(_descended(rough, lags, lag, shift) for rough in tried), *found], key=_by_error):
        scale = _scale_shift(made.coeffs, lag, shift)
        if _is_stable(made.coeffs, lag, shift, scale):
            return replace(made, scale_shift=scale)
    none = (0,) * len(causal_offsets(lag))  # grain that so few bits cannot make at all: white
    return Filter(none, float(_errors(_response(none, lag, shift)[None], lags)[0]))


def _descended(start: Filter, lags: Lags, lag: int, shift: int) -> Filter:
    """Move single coefficients by one, the most rewarding first, until none helps."""
    waves = _waves(lag) / 2**shift
    moves = np.concatenate([-waves, waves])
    coeffs, error = list(start.coeffs), start.error
    response = _response(start.coeffs, lag, shift)
    for _ in range(_STEPS):
        errors = _errors(response + moves, lags)
        best = int(errors.argmin())
        which, by = best % len(coeffs), 1 if best < len(coeffs) else -1
        if errors[best] >= error - 1e-6 or not -128 <= coeffs[which] + by <= 127:
            break
        coeffs[which] += by
        response, error = response + moves[best], float(errors[best])
    return Filter(tuple(coeffs), error)


def _errors(responses: Floats, lags: Lags) -> Floats:
    """Give the errors of the spectra and autocorrelations that filters make, ``responses`` being one over their gain: ``[n]``."""
    wanted, weights, count, near = _target(lags)
    power = 1 / np.maximum(abs(responses) ** 2, 1e-6)
    power /= (power @ count)[:, None]
    floor = _FAINT * wanted.max()
    off = 10 * np.log10(np.maximum(power, floor) / np.maximum(wanted, floor))
    amiss = (power * count) @ _cosines() - near
    return np.asarray(off**2 @ weights + _CORRELATION * (amiss**2).mean(axis=1))


@lru_cache(maxsize=16)
def _target(lags: Lags) -> tuple[Floats, Floats, Floats, Floats]:
    """Give what filters are held against, at half of all frequencies.

    Returns:
        The wanted power, the weight of each frequency, the share of frequencies that it stands for; the correlation at the near lags.
    """
    half = _GRID // 2 + 1
    wanted = power_spectrum(lags, _GRID, _GRID)[:, :half].ravel()
    stands_for = np.full((_GRID, half), 2.0)
    stands_for[:, [0, -1]] = 1
    count = stands_for.ravel() / stands_for.sum()
    radius = np.hypot(np.fft.fftfreq(_GRID)[:, None], np.arange(half) / _GRID).ravel()
    ring = np.minimum((radius * 2 * _RINGS).astype(int), _RINGS)
    weights = count / np.bincount(ring, count)[ring] / (_RINGS + 1)
    return wanted, weights, count, (wanted * count) @ _cosines()


@cache
def _cosines() -> Floats:
    """Give what each frequency adds to the autocorrelation at each near lag, ``[frequencies, lags]``."""
    down, right = np.fft.fftfreq(_GRID)[:, None], (np.arange(_GRID // 2 + 1) / _GRID)[None]
    lags = [(y, x) for y in range(_NEAR + 1) for x in range(-_NEAR, _NEAR + 1) if (y, x) > (0, 0)]
    return np.stack([np.cos(2 * np.pi * (down * y + right * x)).ravel() for y, x in lags], axis=1)


def _response(coeffs: tuple[int, ...], lag: int, shift: int) -> Floats:
    return np.asarray(1 - np.array(coeffs) @ _waves(lag) / 2**shift)


@lru_cache(maxsize=4)
def _waves(lag: int) -> Floats:
    """Give the Fourier transform of each coefficient's place, ``[taps, frequencies]`` (complex)."""
    down, right = np.fft.fftfreq(_GRID)[:, None], (np.arange(_GRID // 2 + 1) / _GRID)[None]
    return np.stack([np.exp(2j * np.pi * (down * y + right * x)).ravel() for y, x in causal_offsets(lag)])


def _by_error(made: Filter) -> tuple[float, tuple[int, ...]]:
    return made.error, made.coeffs


def _gain(coeffs: tuple[int, ...], lag: int, shift: int) -> float:
    """Give the standard deviation that a filter makes of white noise of standard deviation 1."""
    power = 1 / np.maximum(abs(_response(coeffs, lag, shift)) ** 2, 1e-6)
    return float(np.sqrt(power @ _target(WHITE)[2]))


def _scale_shift(coeffs: tuple[int, ...], lag: int, shift: int) -> int:
    loud = template_sigma((), 0, 7) * _gain(coeffs, lag, shift) / _LOUDEST
    return int(np.clip(np.ceil(np.log2(loud)), 0, 3))


def _is_stable(coeffs: tuple[int, ...], lag: int, shift: int, scale: int) -> bool:
    said = _gain(coeffs, lag, shift) * template_sigma((), 0, 7, scale)
    return abs(template_sigma(coeffs, lag, shift, scale) / said - 1) <= _HONEST
