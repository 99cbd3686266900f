"""Whether lips and sound belong together in time, from the sound's energy and the mouth's opening alone, without a model.

Speech energy and the opening of the mouth rise and fall together with the syllables (Chandrasekaran et al., "The natural statistics of
audiovisual speech", PLoS Computational Biology 5(7), 2009: 2 to 7 Hz, best with the band of the second and third formants). So both are
reduced to what changes 1.5 to 8 times a second, and shifted against each other; where they agree best is the offset.
"""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ..arrays import Waveform, as_float64
from ..audio.resample import mono, resample
from ..face.anchors import eye_distance, to_68
from ..face.regions import mouth_opening
from ..face.track import FaceTrack
from ..report import Report

Series = NDArray[np.float64]

RATE = 16000
VOICE = (1000.0, 4000.0)
"""Hz: the band whose energy follows the mouth best on the clips it was tried on (300-3400 Hz finds them too, less surely)."""

SYLLABLES = (1.5, 8.0)
"""Hz: how fast mouth and energy change together."""

SHORTEST = 25
"""Frames below which nothing can be said."""

_LOUDNESS = 0.25  # energy to this power: between amplitude and its logarithm, as the ear compresses
_FLOOR = 1e-10
_PEAK = 3  # frames about the best offset that belong to it; the best beyond is the rival


@dataclass(frozen=True)
class Sync:
    """How lips and sound fit.

    Attributes:
        offset: frames by which the sound comes late (below 0: early).
        correlation: of the two at that offset, -1..1.
        confidence: by how much it is above the best offset more than 3 frames away; below about 0.05 the offset may be chance.
        correlations: at each offset from -reach to reach.
        fps: frames a second.
    """

    offset: int
    correlation: float
    confidence: float
    correlations: tuple[float, ...]
    fps: Fraction

    def report(self) -> Report:
        """Give the figures, and the correlation at every offset as a series."""
        return Report("Sync", {
            "sound late (frames)": self.offset, "sound late (ms)": 1000 * self.offset / float(self.fps),
            "correlation": self.correlation, "confidence": self.confidence,
            "correlation as it is": self.correlations[len(self.correlations) // 2],
        }, {"correlation by offset": self.correlations})


def speech_energy(waveform: Waveform, rate: int, fps: Fraction, frames: int) -> Series:
    """Give the compressed energy of the voice in every video frame, ``[frames]``; 0 beyond the sound.

    Args:
        waveform: ``[C,T]``.
        rate: Hz.
        fps: frames a second.
        frames: how many.
    """
    samples = as_float64(resample(mono(waveform), rate, RATE))[0]
    voice = sosfiltfilt(butter(4, VOICE, "band", fs=RATE, output="sos"), samples) if len(samples) > 100 else np.zeros_like(samples)
    total = np.concatenate(([0.0], np.cumsum(voice * voice)))
    edges = np.minimum([int(i * RATE / fps) for i in range(frames + 1)], len(samples))
    return np.asarray((np.diff(total[edges]) * float(fps) / RATE + _FLOOR) ** _LOUDNESS)


def mouth_motion(track: FaceTrack) -> Series:
    """Give how far the mouth is open in every frame, ``[T]``, in eye distances: gap of the inner and outer lips, jaw, and lower lip.

    Raises:
        ValueError: the track's points do not show the mouth's opening (five points, boxes).
    """
    if track.scheme not in ("mesh468", "points68"):
        raise ValueError(f"The track holds {track.scheme}, which cannot tell an open mouth; track with the mesh or face_alignment.")
    points, unit = to_68(track.points, track.scheme), np.maximum(1e-6, eye_distance(track.points, track.scheme))

    def gap(upper: int, lower: int) -> Series:
        return np.asarray(np.linalg.norm(points[:, lower] - points[:, upper], axis=-1) / unit)

    outer = (gap(50, 58) + gap(51, 57) + gap(52, 56)) / 3
    return np.asarray(mouth_opening(track) + outer + gap(33, 8) + gap(33, 57))


def sync(motion: Series, energy: Series, fps: Fraction, reach: int = 15) -> Sync:
    """Find the offset at which the mouth's motion and the sound's energy, one number a frame each, agree best.

    Args:
        motion: ``[T]``, from `mouth_motion`.
        energy: ``[T]``, from `speech_energy`.
        fps: frames a second.
        reach: offsets looked at, either way, frames.

    Raises:
        ValueError: the series differ in length, are shorter than `SHORTEST` plus `reach`, or one of them does not change.
    """
    count = len(motion)
    if len(energy) != count or count < SHORTEST + reach:
        raise ValueError(f"The mouth's motion has {count} frames, the sound's energy {len(energy)}; both must have the same number, "
                         f"at least {SHORTEST + reach}.")
    if np.ptp(motion) < 1e-9 or np.ptp(energy) < 1e-9:
        raise ValueError(f"The {'mouth does not move' if np.ptp(motion) < 1e-9 else 'sound is silent'}; there is nothing to compare.")
    seen, heard = _syllables(motion, fps), _syllables(energy, fps)
    found = [_correlation(heard[max(0, k) : count + min(0, k)], seen[max(0, -k) : count - max(0, k)]) for k in range(-reach, reach + 1)]
    correlations = np.array(found)
    best = int(correlations.argmax())
    away = np.abs(np.arange(len(correlations)) - best) > _PEAK
    rival = float(correlations[away].max()) if away.any() else 0.0
    return Sync(best - reach, float(correlations[best]), float(correlations[best]) - rival, tuple(correlations.tolist()), fps)


def _syllables(series: Series, fps: Fraction) -> Series:
    """Keep what changes as fast as syllables do."""
    high = min(SYLLABLES[1], 0.45 * float(fps))
    return np.asarray(sosfiltfilt(butter(2, (SYLLABLES[0], high), "band", fs=float(fps), output="sos"), series - series.mean()))


def _correlation(a: Series, b: Series) -> float:
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 0 else 0.0
