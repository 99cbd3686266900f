"""How good a voice recording is, from the recording alone: level, noise, clipping, bandwidth, how much of it is speech."""
from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...arrays import Waveform
from ..resample import mono
from .frames import Framing, Powers, powers, spectra
from .loudness import SILENT, integrated_loudness, true_peak
from .noise import NoiseTrack, track_noise

CLIP_LEVEL, CLIP_RUN = 0.997, 3
"""A clipped stretch: this many samples in a row at this share of the sound's own peak or more, alike to 1/1000, near full scale."""

NEAR_FULL_SCALE = 0.5
"""Below this peak nothing is taken for clipped."""

SPEECH_OVER_NOISE = 4.0
"""Power over the noise from which a frame counts as speech."""

QUIET_DB = 45.0
"""A frame this far below the loudest ones is not speech either."""

SEGMENT_RANGE = (-10.0, 35.0)
"""dB that segmental SNR is held in, frame by frame, as is the custom."""

BAND_DB = 60.0
"""The bandwidth ends where the speech spectrum falls this far below its peak."""

PITCH = (70.0, 400.0)
VOICED = 0.5
"""A frame is voiced when its autocorrelation at some pitch lag (Hz) reaches this share of its power."""

MOST_DB = 100.0
"""What signal-to-noise ratios are given as when there is no noise to speak of."""


@dataclass(frozen=True)
class Quality:
    """The figures of a voice track. dB and LUFS are ``-inf`` for silence; shares are 0..1.

    Attributes:
        loudness: integrated, LUFS.
        true_peak: dB relative to full scale.
        snr: speech power over noise power in the whole sound, dB, an estimate, at most 100.
        segmental_snr: the same frame by frame while somebody speaks, each held in -10..35 dB, averaged.
        noise: noise level, dB relative to full scale.
        steady_noise: how far steady noise was found at all, 0..1; near 0 the figures for noise are only bounds.
        noise_steps: how often the noise steps to another level.
        clipped: share of samples in clipped stretches.
        offset: the constant in the sound, of full scale, the largest over the channels.
        bandwidth: Hz up to which there is speech.
        speech: share of the time.
        voiced: share of the speech.
    """

    loudness: float
    true_peak: float
    snr: float
    segmental_snr: float
    noise: float
    steady_noise: float
    noise_steps: int
    clipped: float
    offset: float
    bandwidth: float
    speech: float
    voiced: float

    def figures(self) -> dict[str, float | int | str]:
        """Give the figures by readable names with their units; the level of silence is the word ``silent``, which JSON can hold."""
        names = {
            "loudness": "loudness (LUFS)", "true_peak": "true peak (dB)", "snr": "SNR estimate (dB)",
            "segmental_snr": "segmental SNR estimate (dB)", "noise": "noise (dB)", "steady_noise": "steady noise found (0..1)",
            "noise_steps": "steps of the noise", "clipped": "clipped (share of samples)", "offset": "DC offset (of full scale)",
            "bandwidth": "bandwidth (Hz)", "speech": "speech (share of time)", "voiced": "voiced (share of speech)",
        }
        return {names[key]: value if math.isfinite(value) else "silent" for key, value in asdict(self).items()}


def judge(waveform: Waveform, rate: int) -> Quality:
    """Measure a voice track ``[C,T]``."""
    level, peak = integrated_loudness(waveform, rate), true_peak(waveform, rate)
    offset, clipped = float(np.abs(waveform.mean(axis=1, dtype=np.float64)).max()), clipped_share(waveform)
    framing = Framing(rate, waveform.shape[1])
    noise = track_noise(waveform, framing)
    sums = _Sums(np.zeros(framing.bins))
    voice = mono(waveform)
    for first, last in framing.blocks():
        sums.add(powers(spectra(waveform, framing, first, last)), noise.at(first, last))
    loudest = np.quantile(np.concatenate(sums.power), 0.99)
    speech = _speech(sums, loudest)
    if not speech.any():
        return Quality(level, peak, 0.0, 0.0, _noise_level(sums, framing), noise.trust, len(noise.cuts), clipped, offset, 0.0, 0.0, 0.0)
    snr, segmental = _ratios(sums, speech)
    voiced = voiced_frames(voice, framing)
    return Quality(
        level, peak, snr, segmental, _noise_level(sums, framing), noise.trust, len(noise.cuts), clipped, offset,
        _bandwidth(waveform, framing, noise, speech), float(speech.mean()), float(voiced[speech].mean()))


def clipped_share(waveform: Waveform) -> float:
    """Give the share of samples that lie in stretches flattened at the top or bottom."""
    peak = float(np.abs(waveform).max())
    if peak < NEAR_FULL_SCALE:
        return 0.0
    flat = np.abs(waveform) >= CLIP_LEVEL * peak
    level = np.abs(np.diff(waveform, axis=1)) <= peak / 1000
    both = flat[:, 1:] & flat[:, :-1] & level
    runs = both[:, : -(CLIP_RUN - 2) or None].copy()
    for shift in range(1, CLIP_RUN - 1):
        runs &= both[:, shift : shift + runs.shape[1]]
    covered = np.zeros(flat.shape, bool)
    for shift in range(CLIP_RUN):
        covered[:, shift : shift + runs.shape[1]] |= runs
    return float(covered.mean())


def voiced_frames(voice: Waveform, framing: Framing) -> NDArray[np.bool_]:
    """Say for every frame of ``[1,T]`` sound whether it is periodic at a voice's pitch (normalised autocorrelation)."""
    shortest, longest = (round(framing.rate / hz) for hz in reversed(PITCH))
    found = np.zeros(framing.frames, bool)
    window = framing.window
    size = fft.next_fast_len(2 * window, real=True)
    ruler = 1 - np.arange(window) / window  # undoes the fall that the shorter overlap at long lags causes
    for first, last in framing.blocks():
        start, stop = framing.start(first), framing.start(last - 1) + window
        piece = np.zeros(stop - start, np.float32)
        inside = slice(max(start, 0), min(stop, framing.samples))
        piece[inside.start - start : inside.stop - start] = voice[0, inside]
        segments = np.lib.stride_tricks.sliding_window_view(piece, window)[:: framing.hop]
        segments = segments - segments.mean(axis=1, keepdims=True)
        spectrum = fft.rfft(segments, size, axis=1)
        lags = fft.irfft(spectrum.real**2 + spectrum.imag**2, size, axis=1)[:, :window]
        longest_here = min(longest, int(0.75 * window))
        best = (lags[:, shortest : longest_here + 1] / ruler[shortest : longest_here + 1]).max(axis=1)
        found[first:last] = (lags[:, 0] > 1e-9) & (best > VOICED * lags[:, 0])
    return found


@dataclass
class _Sums:
    """What is gathered over the frames."""

    total: NDArray[np.float64]

    def __post_init__(self) -> None:
        self.power: list[NDArray[np.float64]] = []
        self.noise: list[NDArray[np.float64]] = []

    def add(self, power: Powers, noise: Powers) -> None:
        self.total += power.sum(axis=0)
        self.power.append(power.sum(axis=1, dtype=np.float64))
        self.noise.append(noise.sum(axis=1, dtype=np.float64))


def _speech(sums: _Sums, loudest: float) -> NDArray[np.bool_]:
    power, noise = np.concatenate(sums.power), np.concatenate(sums.noise)
    return (power > SPEECH_OVER_NOISE * noise) & (power > loudest * 10 ** (-QUIET_DB / 10)) & (power > 1e-9)


def _ratios(sums: _Sums, speech: NDArray[np.bool_]) -> tuple[float, float]:
    power, noise = np.concatenate(sums.power), np.concatenate(sums.noise)
    with np.errstate(divide="ignore"):
        overall = float(10 * np.log10(max(power.sum() - noise.sum(), 1e-14) / noise.sum()))
        frames = 10 * np.log10(np.maximum(power - noise, 1e-14)[speech] / noise[speech])
    return min(overall, MOST_DB), float(np.clip(frames, *SEGMENT_RANGE).mean())


def _noise_level(sums: _Sums, framing: Framing) -> float:
    """Turn the mean noise of a frame into dB of full scale: Parseval, both halves of the spectrum, the window's own power taken out."""
    mean = 2 * float(np.concatenate(sums.noise).mean()) / (framing.window * float((framing.weights() ** 2).sum()))
    return 10 * math.log10(mean) if mean > 1e-16 else SILENT


def _bandwidth(waveform: Waveform, framing: Framing, noise: NoiseTrack, speech: NDArray[np.bool_]) -> float:
    total = np.zeros(framing.bins)
    for first, last in framing.blocks():
        here = speech[first:last]
        excess = powers(spectra(waveform, framing, first, last)) - noise.at(first, last)
        total += np.maximum(excess[here], 0).sum(axis=0)
    heard = np.flatnonzero(total > total.max() * 10 ** (-BAND_DB / 10))
    return float(heard[-1] * framing.rate / framing.window)
