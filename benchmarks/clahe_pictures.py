"""The pictures that LB-CLAHE's regressor is trained and judged on: from scikit-image's wheel and generated, degraded, nothing downloaded.

Whole pictures are held out, not degradations of pictures: HELD_OUT is never seen in training.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from skimage import data

Picture = Any  # [H,W,3], float32, 0..1

TRAINING = ("astronaut", "chelsea", "coins", "motorcycle", "hubble_deep_field", "brick", "grass", "immunohistochemistry", "page", "text",
            "retina", "cell", "colorwheel")
HELD_OUT = ("coffee", "camera", "rocket", "moon", "gravel", "clock")
TRAINING_SCENES = range(100, 112)
HELD_OUT_SCENES = range(900, 905)
LONGER_SIDE = 352
KINDS = ("none", "gamma", "low light", "haze", "noise", "uneven light", "low light and noise", "haze and noise")


def training(seed: int = 59, variants: int = 12) -> Iterator[tuple[str, Picture]]:
    """Give every picture for training, cut and degraded by chance, with its name and degradation."""
    return _degraded_all(TRAINING, TRAINING_SCENES, seed, variants)


def held_out(seed: int = 2019, variants: int = 12) -> Iterator[tuple[str, Picture]]:
    """Give every held-out picture, cut and degraded by chance, with its name and degradation."""
    return _degraded_all(HELD_OUT, HELD_OUT_SCENES, seed, variants)


def natural(name: str) -> Picture:
    """Give one of scikit-image's pictures as RGB."""
    if name == "motorcycle":
        picture: Any = data.stereo_motorcycle()[0]
    else:
        picture = getattr(data, name)()
    picture = np.asarray(picture)[..., :3] if picture.ndim == 3 else np.repeat(np.asarray(picture)[..., None], 3, -1)
    return picture.astype(np.float32) / np.float32(255)


def scene(seed: int, height: int = 288, width: int = 352) -> Picture:
    """Make a scene: a textured wall and some lit, coloured bodies before it, under light that falls off to one side."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    texture = _fractal(rng, height, width)
    picture = np.clip(rng.uniform(0.2, 0.7, 3) * (0.8 + 0.25 * texture[..., None]), 0, 1)
    for _ in range(int(rng.integers(4, 10))):
        cx, cy, a, b, turn = rng.uniform(0, width / height), rng.uniform(0, 1), *rng.uniform(0.06, 0.3, 2), rng.uniform(0, np.pi)
        u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        inside = np.clip((1 - (u / a) ** 2 - (v / b) ** 2) * 12, 0, 1)[..., None]
        shade = np.clip(0.65 + 0.4 * (u / a) * np.cos(seed) + 0.25 * texture, 0.05, 1.3)[..., None]
        picture = picture * (1 - inside) + inside * np.clip(rng.uniform(0.05, 0.95, 3) * shade, 0, 1)
    angle = rng.uniform(0, 2 * np.pi)
    light = 0.85 + 0.3 * ((x - 0.6) * np.cos(angle) + (y - 0.5) * np.sin(angle))
    return np.clip(picture * light[..., None], 0, 1).astype(np.float32)


def degraded(picture: Picture, kind: str, rng: np.random.Generator) -> Picture:
    """Degrade a picture, in linear light where light is what changes, and round it to 8 bits."""
    linear = picture.astype(np.float64) ** 2.2
    if "low light" in kind:
        linear = linear * 2 ** -rng.uniform(1.5, 4.5)
    if "haze" in kind:
        share = rng.uniform(0.25, 0.65)
        linear = linear * share + rng.uniform(0.5, 0.9) * (1 - share)
    if "uneven light" in kind:
        height, width = picture.shape[:2]
        y, x = np.mgrid[:height, :width]
        angle = rng.uniform(0, 2 * np.pi)
        fall = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
        linear = linear * 2 ** (-(fall + 0.6) * rng.uniform(2, 5))[..., None]
    made = linear ** (1 / 2.2)
    if kind == "gamma":
        made = made ** (rng.uniform(1.4, 3.2) if rng.random() < 0.7 else 1 / rng.uniform(1.4, 2.5))
    if "noise" in kind:
        sigma = rng.uniform(2, 10) / 255
        made = made + sigma * rng.standard_normal(made.shape)
    return (np.round(np.clip(made, 0, 1) * 255) / 255).astype(np.float32)


def _degraded_all(names: Any, scenes: Any, seed: int, variants: int) -> Iterator[tuple[str, Picture]]:
    sources = [(name, natural(name)) for name in names] + [(f"scene {number}", scene(number)) for number in scenes]
    for order, (name, picture) in enumerate(sources):
        rng = np.random.default_rng((seed, order))
        for variant in range(variants):
            kind = KINDS[variant % len(KINDS)]
            yield f"{name}, {kind}", degraded(_cut(picture, rng), kind, rng)


def _cut(picture: Picture, rng: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    share = rng.uniform(0.6, 1)
    rows, columns = max(32, int(height * share)), max(32, int(width * share))
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    cut = picture[top : top + rows, left : left + columns]
    factor = LONGER_SIDE / max(rows, columns)
    size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
    return np.clip(cv2.resize(np.ascontiguousarray(cut), size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC), 0, 1)


def _fractal(rng: np.random.Generator, height: int, width: int) -> Any:
    field = np.zeros((height, width), np.float32)
    for octave in range(1, 7):
        cells = rng.standard_normal((2**octave, 2**octave)).astype(np.float32)
        field += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return field
