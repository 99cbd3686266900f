"""A face that talks along a known motion: what flicker removal and sync are tested and measured on."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from skimage import data

CUT = (slice(70, 180), slice(168, 278))
MOUTH = (129.0, 163.0)
"""Middle of the mouth (x, y), px, in the cut scaled to 256x256."""

REGION = (slice(138, 202), slice(76, 182))
"""Rows and columns that hold the mouth in every frame, px at 256x256."""


@dataclass(frozen=True, eq=False)
class Scene:
    """True frames ``[T,H,W,3]``, the mouth's opening ``[T]`` (px) and where each pixel of frame 0 lies in frame t, ``[T,H,W,2]``."""

    frames: np.ndarray
    opening: np.ndarray
    places: np.ndarray

    def flickering(self, gain: float = 0.03, blotches: float = 0.03, noise: float = 0.02, seed: int = 5) -> np.ndarray:
        """The frames as a generator that forgets between frames would give them.

        Standard deviations: `gain` of each frame's brightness, `blotches` of soft patches of colour, `noise` of texture (blurred by
        0.7 px), all fresh in every frame.
        """
        rng = np.random.default_rng(seed)
        made = np.empty_like(self.frames)
        height, width = self.frames.shape[1:3]
        for t, frame in enumerate(self.frames):
            soft = cv2.resize(rng.normal(0, 1, (6, 6, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
            texture = cv2.GaussianBlur(rng.normal(0, 1, frame.shape).astype(np.float32), (0, 0), 0.7)
            made[t] = frame * (1 + rng.normal(0, gain)) + blotches * soft + noise * texture / texture.std()
        return made.clip(0, 1).astype(np.float32)


def talking(hertz: float = 4.0, count: int = 50, fps: float = 25.0, widest: float = 18.0, sway: float = 4.0, size: int = 256) -> Scene:
    """The face opening its mouth `widest` px (of 256) `hertz` times a second while the head sways by `sway` px."""
    picture = cv2.resize(data.astronaut()[CUT].astype(np.float32) / 255, (256, 256), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    time = np.arange(count) / fps
    opening = widest * 0.5 * (1 - np.cos(2 * np.pi * hertz * time))
    path = np.stack((sway * np.sin(2 * np.pi * 0.7 * time), 0.6 * sway * np.sin(2 * np.pi * 1.1 * time)), -1)
    y, x = np.mgrid[:256, :256].astype(np.float32)
    frames, places = [], []
    for gap, shift in zip(opening, path, strict=True):
        frames.append(_spoken(picture, x - np.float32(shift[0]), y - np.float32(shift[1]), gap))
        places.append(_placed(x, y, gap) + np.float32(shift))
    frames_, places_ = np.stack(frames), np.stack(places)
    if size != 256:
        frames_ = np.stack([cv2.resize(f, (size, size), interpolation=cv2.INTER_CUBIC) for f in frames_]).clip(0, 1)
        places_ = np.stack([cv2.resize(p * (size / 256), (size, size)) for p in places_])
    return Scene(frames_.astype(np.float32), opening, places_)


def _profile(x: np.ndarray) -> np.ndarray:
    """Height of the gap along the mouth, 0..1: a lens 88 px wide."""
    return np.sqrt(np.maximum(0, 1 - ((x - MOUTH[0]) / 44) ** 2))


def _falloff(distance: np.ndarray) -> np.ndarray:
    """Share of the jaw's drop at a distance from the lips, px."""
    return np.exp(-((distance / 45) ** 2))


def _spoken(picture: np.ndarray, x: np.ndarray, y: np.ndarray, gap: float) -> np.ndarray:
    """Draw the face: the lower lip goes down by 0.7 of the gap, the upper one up by 0.3, between them it is dark with a row of teeth."""
    local = gap * _profile(x)
    low, high = MOUTH[1] + 0.7 * local, MOUTH[1] - 0.3 * local
    down, up = np.maximum(0, y - low), np.maximum(0, high - y)
    # A few rounds find the place that moved here, since the falloff is counted from the place at rest.
    source = y.copy()
    for _ in range(6):
        drop = np.where(y >= low, 0.7 * local * _falloff(np.maximum(0, source - MOUTH[1])),
                        np.where(y <= high, -0.3 * local * _falloff(np.maximum(0, MOUTH[1] - source)), 0))
        source = (y - drop).astype(np.float32)
    face = cv2.remap(picture, x, source, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    inside = np.clip(np.minimum(y - high, low - y) + 0.5, 0, 1) * (local > 0.5)
    teeth = np.clip(1 - np.abs(y - high - 3) / 2, 0, 1) * (local > 6)
    dark = np.array([0.16, 0.05, 0.05], np.float32) + teeth[..., None] * np.array([0.6, 0.58, 0.52], np.float32)
    shown = face + inside[..., None] * (dark - face) if (down.size and up.size) else face
    return shown.clip(0, 1).astype(np.float32)


def _placed(x: np.ndarray, y: np.ndarray, gap: float) -> np.ndarray:
    """Give where each point of the face at rest lies when the mouth is open by `gap`."""
    local = gap * _profile(x)
    drop = np.where(y >= MOUTH[1], 0.7 * local * _falloff(y - MOUTH[1]), -0.3 * local * _falloff(MOUTH[1] - y))
    return np.stack((x, y + drop), -1).astype(np.float32)


def variance_along(frames: np.ndarray, scene: Scene) -> float:
    """Give the temporal variance of what `frames` differ from the truth, pixels followed along the true motion; their mean."""
    error = frames - scene.frames
    pairs = zip(error, scene.places, strict=True)
    followed = np.stack([cv2.remap(e, p[..., 0].copy(), p[..., 1].copy(), cv2.INTER_LINEAR) for e, p in pairs])
    inner = followed[:, 16:-16, 16:-16]
    return float(inner.var(0).mean())


def articulation(frames: np.ndarray) -> np.ndarray:
    """Measure the mouth's opening from the picture alone, ``[T]``: how much of the mouth's box is darker than the lips at rest."""
    luma = frames[:, REGION[0], REGION[1]] @ np.float32([0.299, 0.587, 0.114])
    return np.clip(0.3 - luma, 0, None).sum((1, 2))


def band_energy(series: np.ndarray, fps: float = 25.0, low: float = 3.0, high: float = 8.0) -> float:
    """Give the energy of a series between two frequencies, Hann-windowed."""
    spectrum = np.abs(np.fft.rfft((series - series.mean()) * np.hanning(len(series)))) ** 2
    at = np.fft.rfftfreq(len(series), 1 / fps)
    return float(spectrum[(at >= low - 0.5) & (at <= high + 0.5)].sum())
