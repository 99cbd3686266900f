"""The demo's own talking-head clip: a public-domain portrait, shaken along a known path, with a voice that moves its mouth.

It is filmed a little soft and noisy. The portrait is scikit-image's astronaut (NASA, public domain). The voice is synthesised: a
glottal pulse train through three formant resonators, syllable by syllable. Everything follows from the seed, so the clip's truth
(path, clean frames) is known exactly.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy import signal

from ..core.arrays import Frame, Frames, Waveform, as_float32, contiguous, empty_frames, from_uint8
from ..core.video.clip import Chunk, ClipInfo

SIZE = 512
"""Height and width of the clip, px."""

ZOOM = 2.0
"""Clip pixels a portrait pixel."""

CENTRE = (222.0, 140.0)
"""The portrait pixel (x, y) at the middle of an unshaken frame."""

MOUTH = (223.0, 148.0)
"""The portrait pixel (x, y) between the lips."""

VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
"""Formants in Hz of a, e, i, o, u (Peterson and Barney, "Control methods used in a study of the vowels", JASA 24, 1952)."""


@dataclass(frozen=True)
class DemoClip:
    """A clip made from a seed.

    `path` is the truth: ``[T,3]`` float64, how far the portrait is moved right and down (px) and turned (radians, about the frame's
    middle, clockwise as seen) in each frame. `opening` is ``[T]``, 0 (lips closed) to 1.
    """

    fps: Fraction
    blur: float
    noise: float
    seed: int
    path: NDArray[np.float64]
    opening: NDArray[np.float64]
    sound: Waveform
    rate: int

    @property
    def info(self) -> ClipInfo:
        """Describe the clip as a source does."""
        return ClipInfo(SIZE, SIZE, self.fps, 1 / self.fps, len(self.path))

    def clean(self, index: int) -> Frame:
        """Draw frame `index`, ``[H,W,3]``, before blur and noise."""
        dx, dy, turn = self.path[index]
        y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64) - (SIZE - 1) / 2
        x, y = x - dx, y - dy
        x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        x, y = x / ZOOM + CENTRE[0], y / ZOOM + CENTRE[1]
        y, inside = _dropped_jaw(x, y, 9.0 * float(self.opening[index]))
        portrait = from_uint8(contiguous(skimage.data.astronaut()))  # type: ignore[no-untyped-call]
        frame = cv2.remap(portrait, as_float32(x), as_float32(y), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        dark = np.array([0.16, 0.05, 0.05], np.float32)
        return contiguous(np.clip(frame + as_float32(inside)[..., None] * (dark - frame), 0, 1))

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Draw the clip as it is filmed, soft and noisy, `size` frames at a time."""
        for start in range(0, len(self.path), size):
            count = min(size, len(self.path) - start)
            frames: Frames = empty_frames(count, SIZE, SIZE, 3)
            for i in range(count):
                rng = np.random.default_rng((self.seed, start + i))
                soft = cv2.GaussianBlur(self.clean(start + i), (0, 0), self.blur)
                frames[i] = soft + self.noise * rng.standard_normal((SIZE, SIZE, 3), np.float32)
            yield Chunk(start, np.clip(frames, 0, 1), tuple(range(start, start + count)))


def demo_clip(
    seconds: float = 4.0, fps: Fraction = Fraction(25), blur: float = 1.0, noise: float = 1.5 / 255, seed: int = 7, rate: int = 48000
) -> DemoClip:
    """Make the demo clip.

    Args:
        seconds: its length, at least one frame.
        fps: frames a second.
        blur: standard deviation of the lens's softness, px.
        noise: standard deviation of the white noise, 0..1.
        seed: path, syllables and noise follow from it.
        rate: samples a second of the sound.
    """
    count = max(1, round(seconds * fps))
    rng = np.random.default_rng(seed)
    sound, loudness = speech_like(count / float(fps), rate, rng)
    return DemoClip(fps, blur, noise, seed, head_path(count, fps, rng), _per_frame(loudness, rate, fps, count), sound, rate)


def head_path(count: int, fps: Fraction, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make a path ``[count,3]`` (px, px, radians): slow sway and nods, and the tremble of a hand-held camera up to 8 Hz."""
    t = np.arange(count) / float(fps)
    path = np.zeros((count, 3))
    for hertz, reach in ((0.35, 9.0), (0.9, 4.0), (2.1, 1.6), (4.3, 0.9), (7.7, 0.6)):
        phase = rng.uniform(0, 2 * np.pi, 3)
        path += reach * np.sin(2 * np.pi * hertz * t[:, None] + phase) * (1.0, 0.8, 0.002)
    return path


def speech_like(seconds: float, rate: int, rng: np.random.Generator) -> tuple[Waveform, NDArray[np.float64]]:
    """Synthesise something that sounds like speech: ``[1,samples]``, and its loudness envelope ``[samples]``, both within 0..1."""
    count = round(seconds * rate)
    voice, loudness = np.zeros(count), np.zeros(count)
    at = int(0.15 * rate)
    while at < count:
        length = int(rng.uniform(0.14, 0.28) * rate)
        stop = min(count, at + length)
        t = np.arange(stop - at) / rate
        pitch = 190 * (1 + 0.12 * np.sin(2 * np.pi * 1.3 * (at / rate + t))) * rng.uniform(0.94, 1.06)
        sound = signal.sawtooth(2 * np.pi * np.cumsum(pitch) / rate) + 0.02 * rng.standard_normal(len(t))
        for formant in VOWELS[rng.integers(len(VOWELS))]:
            sound = signal.lfilter(*signal.iirpeak(formant, 6.0, fs=rate), sound) + 0.15 * sound
        swell = np.sin(np.pi * np.minimum(1, np.arange(len(t)) / length)) ** 0.7
        voice[at:stop] += sound / max(1e-9, np.abs(sound).max()) * swell
        loudness[at:stop] = np.maximum(loudness[at:stop], swell)
        at = stop + int(rng.choice([0.01, 0.03, 0.22], p=[0.5, 0.35, 0.15]) * rate)
    return as_float32(0.5 * voice[None]), loudness


def _per_frame(loudness: NDArray[np.float64], rate: int, fps: Fraction, count: int) -> NDArray[np.float64]:
    """Average an envelope over each frame's time, and let lips follow with the inertia of about a frame."""
    edges = [min(len(loudness), round(i * rate / fps)) for i in range(count + 1)]
    opening = np.array([loudness[a:b].mean() if b > a else 0.0 for a, b in pairwise(edges)])
    return np.convolve(np.pad(opening, 1, "edge"), (0.25, 0.5, 0.25), "valid")


def _dropped_jaw(x: NDArray[np.float64], y: NDArray[np.float64], drop: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower everything below the lips by up to `drop` portrait px, fading towards cheeks and throat.

    Returns:
        Where each pixel's picture comes from (y), and how far it lies in the opened mouth (0..1).
    """
    across = (x - MOUTH[0]) / 21
    lips = MOUTH[1] - 7 * across**2  # the line between the lips, curved as she smiles
    below = y - lips
    lowered = drop * np.clip(1 - across**2, 0, 1) ** 1.5
    gap = np.clip(below + 0.5, 0, 1) * np.clip(lowered - below, 0, 1) * np.clip(lowered, 0, 1)
    fade = np.exp(-((np.maximum(below - lowered, 0) / 30) ** 2))
    return np.where(below > 0, np.maximum(y - lowered * fade, np.minimum(y, lips)), y), gap
