"""Noise of a known spectrum taken from a plane in overlapping windows: fast, and without block matching.

Two passes, as in transform-domain denoising: hard thresholding gives a first picture, whose windows' power then steers a Wiener gain
on the windows of the source. Source: Ghael, Sayeed and Baraniuk, "Improved wavelet denoising via empirical Wiener filtering", SPIE
3169, 1997; the spectrum of windowed noise is exact, from its autocorrelation.
"""
from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...arrays import Frame, as_float32
from ..noise.blocks import Floats
from ..noise.spectrum import Lags, plane_of

WINDOW, STEP = 16, 8
"""Side and distance of the windows, px."""

_THRESHOLD = 2.6  # times the noise's amplitude: below, a coefficient is taken for noise alone
_ROWS = 64  # rows of windows at a time, which bounds the memory


def denoise_plane(plane: Frame, sigma: Frame, lags: Lags) -> Frame:
    """Take noise from a plane.

    Args:
        plane: ``[H,W]``.
        sigma: standard deviation of the noise at every pixel, ``[H,W]``; each window takes its mean.
        lags: autocorrelation of the noise.

    Returns:
        ``[H,W]``.
    """
    spectrum = as_float32(windowed_spectrum(lags))
    first = _filtered(plane, None, sigma, spectrum)
    return _filtered(plane, first, sigma, spectrum)


@lru_cache(maxsize=16)
def windowed_spectrum(lags: Lags) -> Floats:
    """Give the expected power of each Fourier coefficient of a window of noise of variance 1, ``[WINDOW, WINDOW / 2 + 1]``."""
    window = _window()
    own = np.correlate(window, window, "full")  # lags -(WINDOW - 1) .. WINDOW - 1
    reach, middle = min(len(lags) - 1, WINDOW - 1), len(lags) - 1
    near = plane_of(lags)[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    part = own[WINDOW - 1 - reach : WINDOW + reach]
    offsets = np.arange(-reach, reach + 1)
    wave = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW), offsets) / WINDOW)
    power = (wave @ (near * np.outer(part, part)) @ wave.T).real
    return np.asarray(np.maximum(power, 1e-3 * power.mean())[:, : WINDOW // 2 + 1])


def _window() -> Floats:
    """A sine: squared and overlapped by half it sums to 1."""
    return np.asarray(np.sin((np.arange(WINDOW) + 0.5) * np.pi / WINDOW))


def _filtered(plane: Frame, pilot: Frame | None, sigma: Frame, spectrum: NDArray[np.float32]) -> Frame:
    """Run one pass: thresholding, or a Wiener gain from a pilot."""
    height, width = plane.shape
    padded, variance = _padded(plane), _padded(sigma) ** 2
    guide = None if pilot is None else _padded(pilot)
    window = as_float32(np.outer(_window(), _window()))
    total = np.zeros_like(padded)
    rows = (padded.shape[0] - WINDOW) // STEP + 1
    for top in range(0, rows, _ROWS):
        band = slice(top * STEP, (min(top + _ROWS, rows) - 1) * STEP + WINDOW)
        pieces = _windows(padded[band])
        # The mean is no noise: it is set aside, so that the window does not spread it over its neighbours in frequency.
        means = pieces.mean(axis=(2, 3), keepdims=True)
        found = scipy.fft.rfft2((pieces - means) * window)
        noise = _windows(variance[band]).mean(axis=(2, 3), keepdims=True) * spectrum
        if guide is None:
            gain = as_float32((found.real**2 + found.imag**2) > _THRESHOLD**2 * noise)
        else:
            known = scipy.fft.rfft2((_windows(guide[band]) - means) * window)
            power = known.real**2 + known.imag**2
            gain = power / (power + noise + np.float32(1e-20))
        made = scipy.fft.irfft2(found * gain, (WINDOW, WINDOW)) * window + means * window * window
        _overlap(made, total[band])
    margin = WINDOW - STEP
    return np.asarray(total[margin : margin + height, margin : margin + width])


def _windows(band: Frame) -> Frame:
    return np.asarray(sliding_window_view(band, (WINDOW, WINDOW))[::STEP, ::STEP])


def _overlap(pieces: Frame, total: Frame) -> None:
    """Add windows ``[R,C,WINDOW,WINDOW]`` to where they were taken from."""
    rows, columns = pieces.shape[:2]
    for y in range(0, WINDOW, STEP):
        for x in range(0, WINDOW, STEP):
            part = pieces[:, :, y : y + STEP, x : x + STEP].swapaxes(1, 2).reshape(rows * STEP, columns * STEP)
            total[y : y + rows * STEP, x : x + columns * STEP] += part


def _padded(plane: Frame) -> Frame:
    """Mirror a plane so that windows cover every pixel as often."""
    more = [WINDOW - STEP + (-n) % STEP for n in plane.shape]
    return np.pad(plane, [(WINDOW - STEP, m) for m in more], mode="symmetric")
