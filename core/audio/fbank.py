"""Kaldi's log mel filter bank energies, which WeNet listens to: 80 bands, 25 ms every 10 ms, no dither."""
from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

RATE, LENGTH, SHIFT, SIZE, BANDS = 16000, 400, 160, 512, 80
LOW, HIGH = 20.0, RATE / 2
PREEMPHASIS = 0.97
BLOCK = 4096


def fbank(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the log energies ``[1 + (T - 400) // 160, 80]`` of ``[T]`` samples at 16 kHz on the scale of 16-bit integers.

    As Kaldi's ``compute-fbank-feats`` with ``--dither=0 --num-mel-bins=80``: mean of each frame taken out, pre-emphasis 0.97 within the
    frame, Povey window, power spectrum of 512, bands from 20 Hz to half the rate on the mel scale 1127 ln(1 + f/700), natural logarithm.

    Raises:
        ValueError: fewer than 400 samples.
    """
    if len(samples) < LENGTH:
        raise ValueError(f"The sound has {len(samples)} samples; a filter bank frame takes {LENGTH}.")
    frames = np.lib.stride_tricks.sliding_window_view(samples, LENGTH)[::SHIFT]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LENGTH) / (LENGTH - 1))) ** 0.85
    out = np.empty((len(frames), BANDS), np.float32)
    for first in range(0, len(frames), BLOCK):
        block = frames[first : first + BLOCK].astype(np.float64)
        block -= block.mean(axis=1, keepdims=True)
        delayed = np.concatenate((block[:, :1], block[:, :-1]), axis=1)
        spectrum = fft.rfft((block - PREEMPHASIS * delayed) * window, SIZE, axis=1)
        energy = (spectrum.real**2 + spectrum.imag**2) @ _bands().T
        out[first : first + BLOCK] = np.log(np.maximum(energy, np.finfo(np.float32).eps))
    return out


@lru_cache(maxsize=1)
def _bands() -> NDArray[np.float64]:
    """Give the triangles over the spectrum ``[80, 257]``: equal steps and straight sides on the mel scale; the last bin has none."""
    edges = np.linspace(_mel(np.float64(LOW)), _mel(np.float64(HIGH)), BANDS + 2)[:, None]
    bins = _mel(np.arange(SIZE // 2 + 1) * RATE / SIZE)
    rising, falling = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    triangles[:, -1] = 0
    return np.asarray(triangles)


def _mel(hz: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(hz / 700))
