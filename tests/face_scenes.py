"""A real face moved along a known path: the scene that tracks, smoothing and pasting are tested on."""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import pytest

from talkies.core.face import similarity
from talkies.core.face.track import FaceTrack, track_from_points

# The astronaut of scikit-image: eyes, nose tip, mouth corners, px of the cut below at 1.5 times its size.
CUT = (slice(20, 230), slice(115, 335))
SCALE = 1.5
FIVE = (np.array([[203.2, 101.2], [247.0, 103.1], [223.6, 126.6], [200.3, 138.3], [245.8, 141.3]]) - (115, 20) + 0.5) * SCALE - 0.5


@dataclass(frozen=True, eq=False)
class Scene:
    """Frames ``[T,H,W,3]``, the path ``[T,2,3]`` that moved them, and the true five points ``[T,5,2]``."""

    frames: np.ndarray
    path: np.ndarray
    points: np.ndarray
    fps: Fraction

    def detected(self, noise: float = 1.0, seed: int = 0, scheme: str = "points5") -> FaceTrack:
        """A raw track as a detector with this much noise (px) would give."""
        return self.track(self.points + np.random.default_rng(seed).normal(0, noise, self.points.shape), scheme)

    def track(self, points, scheme: str = "points5", found=None) -> FaceTrack:
        found = np.ones(len(points), bool) if found is None else found
        return track_from_points([p if f else None for p, f in zip(points, found, strict=True)], scheme, self.frames.shape[1:3], self.fps)

    def clip(self, size: int = 7):
        """The frames in runs, as a file reader gives them."""
        for first in range(0, len(self.frames), size):
            yield first, self.frames[first : first + size]


def face_picture() -> np.ndarray:
    """The still face, ``[315,330,3]``, 0..1."""
    data = pytest.importorskip("skimage.data")
    cut = data.astronaut()[CUT].astype(np.float32) / 255
    return cv2.resize(cut, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC).clip(0, 1)


def moving_face(count: int = 60, fps: int = 25, noise: float = 2.0, seed: int = 3) -> Scene:
    """The face nodding at 2 Hz, swaying, turning and coming closer, with sensor noise (levels)."""
    picture = face_picture()
    time = np.arange(count) / fps
    middle = complex(*FIVE.mean(0))
    factor = (1 + 0.03 * np.sin(0.7 * time)) * np.exp(1j * 0.05 * np.sin(1.9 * time))
    shift = 9 * np.sin(2 * np.pi * 0.6 * time) + 6j * np.sin(2 * np.pi * 2.0 * time)
    path = similarity.from_complex(factor, middle - factor * middle + shift)
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    frames = np.stack([cv2.warpAffine(picture, m, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT) for m in path])
    frames = (frames + rng.normal(0, noise / 255, frames.shape)).clip(0, 1).astype(np.float32)
    return Scene(frames, path, similarity.apply(path, np.broadcast_to(FIVE, (count, 5, 2))), Fraction(fps))


def fast_part(series: np.ndarray, fps: Fraction, hertz: float = 3.0) -> np.ndarray:
    """What lies above `hertz` in ``[T,...]``."""
    spectrum = np.fft.rfft(series - series.mean(0), axis=0)
    spectrum[np.fft.rfftfreq(len(series), 1 / float(fps)) < hertz] = 0
    return np.fft.irfft(spectrum, len(series), axis=0)
