"""Bring sound to one channel and to the sample rate that a network was trained at."""
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ..arrays import ArrayError, Waveform, as_float32

try:
    import soxr
except ImportError:  # a wheel for every platform exists, yet the pack must load without it
    soxr = None

LOWEST_RATE = 1000
"""Hz. Below this a rate is a mistake (a frame rate, kHz) rather than sound."""


def resampler() -> str:
    """Name the resampler in use: ``soxr HQ`` is what the published features were made with, ``scipy polyphase`` is close to it."""
    return "scipy polyphase" if soxr is None else "soxr HQ"


def mono(waveform: Waveform) -> Waveform:
    """Average the channels of ``[C,T]`` sound to ``[1,T]``: every channel alike, LFE too, as the published pipeline does."""
    if len(waveform) == 1:
        return waveform
    averaged: NDArray[np.float32] = waveform.mean(axis=0, keepdims=True, dtype=np.float32)
    return averaged


def resample(waveform: Waveform, rate: int, target: int) -> Waveform:
    """Resample ``[C,T]`` sound from `rate` to `target` Hz; ``ceil(T * target / rate)`` samples come out, at least one.

    Raises:
        ArrayError: a rate below 1000 Hz.
    """
    for name, value in (("sample rate", rate), ("target rate", target)):
        if value < LOWEST_RATE:
            raise ArrayError(f"The {name} is {value} Hz; sound has at least {LOWEST_RATE} Hz. Give it in Hz, e.g. 16000.")
    if rate == target:
        return waveform
    length = max(1, math.ceil(waveform.shape[1] * target / rate))
    out = np.zeros((len(waveform), length), np.float32)
    for channel, samples in enumerate(waveform):
        made = _resampled(samples, rate, target)[:length]
        out[channel, : len(made)] = made
    return out


def _resampled(samples: NDArray[np.float32], rate: int, target: int) -> NDArray[np.float32]:
    if soxr is not None:
        made: NDArray[np.float32] = soxr.resample(samples, rate, target, quality="HQ")
        return made
    common = math.gcd(rate, target)
    return as_float32(resample_poly(samples, target // common, rate // common, window=("kaiser", 12.0)))
