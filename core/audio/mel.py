"""The mel spectrogram of the Wav2Lip family, in the published order of steps, shared by every network here that listens.

Pre-emphasis, centred STFT with zeros at the ends, magnitude, Slaney mel bands, decibels, then a fixed map to -4..4. The order and the
constants follow the public hparams of Wav2Lip / Diff2Lip / SyncTalk_2D; the mel scale and its area normalisation follow Slaney's
Auditory Toolbox (1998), as librosa computes them.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..arrays import ArrayError, Waveform
from ..parallel import worker_count
from ..progress import Progress, silent
from .resample import mono, resample

Mel = NDArray[np.float32]
"""``[bands,T]``, float32, -4 (100 dB below the top and less, so digital silence) to 4 (the top)."""

Precision = Literal["float64", "float32"]

BLOCK = 2048
"""Columns worked on at a time: bounds the memory at a few dozen MB however long the sound is."""


@dataclass(frozen=True)
class MelPreset:
    """The constants of one mel spectrogram. Rates in Hz, lengths in samples, levels in dB."""

    name: str
    sample_rate: int
    bands: int
    window: int
    hop: int
    low: float = 55.0
    high: float = 7600.0
    preemphasis: float = 0.97
    floor: float = -100.0
    reference: float = 20.0
    top: float = 4.0

    @property
    def columns_per_second(self) -> Fraction:
        """Give the rate of mel columns, exactly."""
        return Fraction(self.sample_rate, self.hop)

    def columns(self, samples: int) -> int:
        """Count the columns of a sound of `samples` samples at this preset's rate: one more than whole hops."""
        return 1 + samples // self.hop


STANDARD = MelPreset("standard", sample_rate=16000, bands=80, window=800, hop=200)
"""What every published encoder was trained on: 80 columns a second."""

ENHANCED = MelPreset("enhanced", sample_rate=22050, bands=128, window=1024, hop=256)
"""Finer in frequency (86.13 columns a second); for looking and for export only, no published encoder takes it."""

PRESETS = {preset.name: preset for preset in (STANDARD, ENHANCED)}


def mel_spectrogram(
    waveform: Waveform,
    rate: int,
    preset: MelPreset = STANDARD,
    *,
    precision: Precision = "float64",
    progress: Progress = silent,
) -> Mel:
    """Make the mel spectrogram of a sound of any sample rate and channel count.

    Args:
        waveform: ``[C,T]`` float32, finite, nominally -1..1; averaged to mono and resampled first.
        rate: its sample rate in Hz.
        preset: constants.
        precision: what the arithmetic runs in. ``float64`` is the published one; ``float32`` is faster and within 1e-4 of it.
        progress: told of the columns done.

    Returns:
        ``[bands, 1 + samples // hop]`` float32 in -4..4, `samples` counted after resampling.

    Raises:
        ArrayError: no samples.
    """
    if waveform.shape[-1] == 0:
        raise ArrayError(f"audio has shape {list(waveform.shape)}; it must hold at least one sample.")
    samples = resample(mono(waveform), rate, preset.sample_rate)[0]
    kind = np.dtype(precision)
    basis = mel_basis(preset).T.astype(kind)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(preset.window) / preset.window)).astype(kind)
    count = preset.columns(len(samples))
    mel = np.empty((preset.bands, count), np.float32)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        segments = _segments(samples, first, last, preset, kind)
        spectrum = np.abs(fft.rfft(segments * window, axis=1, workers=worker_count(), overwrite_x=True))
        mel[:, first:last] = _levels(spectrum @ basis, preset).T
        progress(last, count)
    return mel


def _segments(samples: NDArray[np.float32], first: int, last: int, preset: MelPreset, kind: np.dtype[np.floating]) -> NDArray[np.floating]:
    """Cut the windowed segments of columns `first` to `last`: pre-emphasised, zeros outside the sound, as a strided view."""
    half = preset.window // 2
    start, stop = first * preset.hop - half, (last - 1) * preset.hop - half + preset.window
    inside = slice(max(start, 0), min(stop, len(samples)))
    piece = np.zeros(stop - start, kind)
    sound = piece[inside.start - start : inside.stop - start]
    sound[:] = samples[inside]
    # The sample before the piece is read from the sound itself, so that where the blocks are cut never shows; at its very
    # start there is none and the first sample stays as it is.
    before = samples[inside.start - 1] if inside.start > 0 else 0
    delayed = np.empty_like(sound)
    delayed[:1], delayed[1:] = before, sound[:-1]
    sound -= kind.type(preset.preemphasis) * delayed
    return np.lib.stride_tricks.sliding_window_view(piece, preset.window)[:: preset.hop]


def _levels(bands: NDArray[np.floating], preset: MelPreset) -> NDArray[np.floating]:
    """Map band magnitudes to decibels and on to -top..top, in place."""
    smallest = math.exp(preset.floor / 20 * math.log(10))
    np.maximum(bands, smallest, out=bands)
    np.log10(bands, out=bands)
    bands *= 20
    bands -= preset.reference
    bands -= preset.floor
    bands *= 2 * preset.top / -preset.floor
    bands -= preset.top
    return np.clip(bands, -preset.top, preset.top, out=bands)


@lru_cache(maxsize=4)
def mel_basis(preset: MelPreset) -> NDArray[np.float32]:
    """Give the triangular bands ``[bands, window // 2 + 1]`` float32: Slaney scale, each of unit area over Hz. Read-only."""
    bins = np.arange(preset.window // 2 + 1) * (preset.sample_rate / preset.window)
    edges = mel_to_hz(np.linspace(hz_to_mel(preset.low), hz_to_mel(preset.high), preset.bands + 2))
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    # Rounded to float32 before and after the area factor: that is where the published basis is rounded.
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    basis: NDArray[np.float32] = (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    basis.flags.writeable = False
    return basis


_LINEAR = 200 / 3  # Hz per mel below 1 kHz
_KNEE = 1000 / _LINEAR  # mel at 1 kHz
_STEP = math.log(6.4) / 27  # natural log of the frequency ratio per mel above it


def hz_to_mel(hz: float) -> float:
    """Convert Hz to Slaney's mel: linear below 1 kHz, logarithmic above."""
    return hz / _LINEAR if hz < 1000 else _KNEE + math.log(hz / 1000) / _STEP


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert Slaney's mel to Hz."""
    return np.where(mel < _KNEE, mel * _LINEAR, 1000 * np.exp(_STEP * (np.maximum(mel, _KNEE) - _KNEE)))
