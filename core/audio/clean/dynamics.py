"""Evening out a voice: a slow gain that rides the level, and a fast one that holds back loud syllables."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...arrays import Waveform, as_float32, as_float64
from .loudness import STEP_SECONDS, STEPS, lufs, momentary, step_powers

RIDE_SECONDS = 0.4
"""Standard deviation of the window that the level is followed in."""

MOST_DB = 18.0
"""The most that the slow gain turns up or down."""

QUIETEST = -60.0
"""LUFS below which nothing is taken for speech."""

OVER_FLOOR_DB = 8.0
"""How far speech stands out over the quietest 5 % of the sound."""

FAST_SECONDS = 0.005
RATIO, KNEE_DB, HEADROOM_DB = 3.0, 6.0, 6.0
"""Of the fast gain: compression ratio, width of the soft knee, and where it starts above the voice's own level."""


def compress(waveform: Waveform, rate: int, strength: float) -> tuple[Waveform, float]:
    """Even out the level of a voice; pauses keep the gain of the speech around them, so noise is not pumped up.

    Args:
        waveform: ``[C,T]`` float32; all channels get the same gain.
        rate: Hz.
        strength: 0 (nothing, the same array) to 1 (every passage at the voice's median level).

    Returns:
        ``[C,T]`` float32 and the range of the slow gain, dB.
    """
    ridden = ride_gain(waveform, rate, strength)
    if ridden is None:
        return waveform, 0.0
    centres = as_float64(np.arange(len(ridden)) + STEPS / 2) * STEP_SECONDS * rate
    evened: Waveform = waveform * _samples(ridden, centres, waveform.shape[1])
    fast, middles = fast_gain(evened, rate, strength)
    out: Waveform = evened * _samples(fast, middles, waveform.shape[1])
    return out, float(np.ptp(ridden))


def ride_gain(waveform: Waveform, rate: int, strength: float) -> NDArray[np.float64] | None:
    """Give the slow gain of every 0.4 s block (one each 0.1 s), dB; None where there is no speech or no strength."""
    powers = momentary(step_powers(waveform, rate))
    levels = np.maximum(lufs(powers), -120)
    speech = (levels > QUIETEST) & (levels > min(np.quantile(levels, 0.05) + OVER_FLOOR_DB, np.quantile(levels, 0.5)))
    if strength == 0 or not speech.any():
        return None
    sigma = RIDE_SECONDS / STEP_SECONDS
    weight = ndimage.gaussian_filter1d(speech.astype(np.float64), sigma, mode="constant")
    power = ndimage.gaussian_filter1d(np.where(speech, powers, 0), sigma, mode="constant")
    known = np.flatnonzero(weight > 1e-3)
    local = np.interp(np.arange(len(levels)), known, lufs(power[known] / weight[known]))
    return np.asarray(np.clip(strength * (np.median(local[speech]) - local), -MOST_DB, MOST_DB))


def fast_gain(waveform: Waveform, rate: int, strength: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the fast gain, dB, of every 5 ms and the samples that those are centred on."""
    step = max(1, round(FAST_SECONDS * rate))
    count = -(-waveform.shape[1] // step)
    padded = np.pad(waveform, ((0, 0), (0, count * step - waveform.shape[1])))
    power = (padded.reshape(len(waveform), count, step) ** 2).mean(axis=(0, 2), dtype=np.float64)
    levels = 10 * np.log10(ndimage.uniform_filter1d(power, 4, mode="nearest").clip(1e-12))
    active = levels[levels > levels.max() - 40]
    over = levels - (np.median(active) + HEADROOM_DB)
    bent = np.where(over > KNEE_DB / 2, over, np.where(over < -KNEE_DB / 2, 0, (over + KNEE_DB / 2) ** 2 / (2 * KNEE_DB)))
    gain = -strength * (1 - 1 / RATIO) * bent
    gain = ndimage.minimum_filter1d(gain, 5, mode="nearest")
    return np.asarray(ndimage.gaussian_filter1d(gain, 4, mode="nearest")), (np.arange(count) + 0.5) * step


def _samples(gain: NDArray[np.float64], centres: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """Spread a gain in dB over samples, linear between its centres, as factors."""
    return as_float32(10 ** (np.interp(np.arange(count), centres, gain) / 20))
