"""Mel-frequency cepstra as SyncNet was trained on: 13 of them, a hundred a second.

By the definitions of Davis and Mermelstein, IEEE TASSP 28(4), 1980, with the choices of the published pipeline: 16 kHz 16-bit values,
pre-emphasis 0.97, windows of 25 ms every 10 ms without taper, 512-point power spectrum, 26 bands on the mel scale of HTK, orthonormal
DCT, liftering by 22, and the first number replaced by the logarithm of the window's energy.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

RATE, WINDOW, HOP, FFT, BANDS, CEPSTRA, LIFTER = 16000, 400, 160, 512, 26, 13, 22

Cepstra = NDArray[np.float64]
"""``[13,T]``."""


def mfcc(samples: NDArray[np.float32]) -> Cepstra:
    """Give the cepstra of mono sound ``[T]`` at 16 kHz, -1..1; the last window is filled up with zeros."""
    values = np.round(samples.astype(np.float64) * 32768)
    values = np.concatenate((values[:1], values[1:] - 0.97 * values[:-1]))
    count = 1 + max(0, -(-(len(values) - WINDOW) // HOP))
    padded = np.concatenate((values, np.zeros(max(0, (count - 1) * HOP + WINDOW - len(values)))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    power = np.abs(np.fft.rfft(windows, FFT, axis=1)) ** 2 / FFT
    tiny = np.finfo(np.float64).eps
    energy, bands = power.sum(1), power @ _bands().T
    cepstra = dct(np.log(np.where(bands == 0, tiny, bands)), type=2, norm="ortho", axis=1)[:, :CEPSTRA]
    cepstra = cepstra * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER))
    cepstra[:, 0] = np.log(np.where(energy == 0, tiny, energy))
    return np.asarray(cepstra.T)


def _bands() -> NDArray[np.float64]:
    """Give the triangles, ``[26,257]``: corners evenly spaced in mel from 0 to 8 kHz, rounded down to bins."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = np.floor((FFT + 1) * 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1) / RATE)
    bins = np.arange(FFT // 2 + 1)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    up = (bins >= corners[:-2, None]) & (bins < corners[1:-1, None])
    down = (bins >= corners[1:-1, None]) & (bins < corners[2:, None])
    return np.asarray(rising * up + falling * down)
