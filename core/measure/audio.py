"""How close a sound is to the one it should be."""
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..arrays import Waveform, as_float64
from ..audio.clean.loudness import lufs, step_powers
from ..audio.mel import mel_spectrogram

SEGMENT_SECONDS = 0.03
SEGMENT_RANGE = (-10.0, 35.0)
ACTIVE_DB = 40.0


def si_sdr(estimate: Waveform, reference: Waveform) -> float:
    """Scale-invariant signal-to-distortion ratio of ``[C,T]`` sounds, dB; ``inf`` when they differ by a factor and an offset only.

    Source: Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?", ICASSP 2019.

    Raises:
        ValueError: the shapes differ, or the reference is constant.
    """
    made, true = _pair(estimate, reference)
    power = float(true @ true)
    if power == 0:
        raise ValueError("The reference is constant; a ratio to it means nothing.")
    part = (float(made @ true) / power) * true
    rest = made - part
    distortion = float(rest @ rest)
    return 10 * math.log10(float(part @ part) / distortion) if distortion > 0 and part.any() else math.inf if part.any() else -math.inf


def segmental_snr(estimate: Waveform, reference: Waveform, rate: int) -> float:
    """Mean signal-to-noise ratio of 30 ms frames, each held in -10..35 dB, where the reference is within 40 dB of its loudest.

    Raises:
        ValueError: the shapes differ, or no frame is active.
    """
    made, true = _pair(estimate, reference, centre=False)
    size = max(1, round(SEGMENT_SECONDS * rate))
    count = len(true) // size
    signal, noise = ((x[: count * size].reshape(count, size) ** 2).sum(axis=1) for x in (true, made - true))
    active = signal > (signal.max() if count else 0) * 10 ** (-ACTIVE_DB / 10)
    if not active.any():
        raise ValueError("The reference is silent or shorter than 30 ms; segmental SNR means nothing.")
    ratios = 10 * np.log10(signal[active] / np.maximum(noise[active], 1e-20))
    return float(np.clip(ratios, *SEGMENT_RANGE).mean())


def mel_distance(estimate: Waveform, reference: Waveform, rate: int) -> float:
    """Mean absolute difference of the two mels on their -4..4 scale (1 is 12.5 dB): what the lip-sync encoder would notice."""
    if estimate.shape != reference.shape:
        raise ValueError(f"The estimate has shape {list(estimate.shape)}, the reference {list(reference.shape)}; they must be alike.")
    return float(np.abs(mel_spectrogram(estimate, rate) - mel_spectrogram(reference, rate)).mean())


def loudness_spread(waveform: Waveform, rate: int, seconds: float = 3.0) -> float:
    """Spread of the short-term loudness, LU: 95th minus 10th percentile of `seconds` long stretches every half second, silence left out.

    EBU Tech 3342's loudness range without its relative gate, which would leave out exactly the quiet passages.
    """
    powers = step_powers(waveform, rate)
    length = min(len(powers), round(10 * seconds))
    if length == 0:
        return 0.0
    levels = lufs(np.lib.stride_tricks.sliding_window_view(powers, length).mean(axis=1)[::5])
    levels = levels[levels > -70]
    return float(np.percentile(levels, 95) - np.percentile(levels, 10)) if len(levels) else 0.0


def _pair(estimate: Waveform, reference: Waveform, centre: bool = True) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if estimate.shape != reference.shape:
        raise ValueError(f"The estimate has shape {list(estimate.shape)}, the reference {list(reference.shape)}; they must be alike.")
    made, true = as_float64(estimate), as_float64(reference)
    if centre:
        made, true = made - made.mean(axis=-1, keepdims=True), true - true.mean(axis=-1, keepdims=True)
    return made.reshape(-1), true.reshape(-1)
