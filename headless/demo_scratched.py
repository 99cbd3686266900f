"""A scratched photograph for the inpainting example: what is lost is transparent, so that Load Image gives it as the mask."""
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..core.arrays import Frame, as_float32, to_uint8

NAME = "talkies_demo_scratched.png"
"""The picture's name, as the example workflow loads it."""

SIZE = 192


def write_scratched(clean: Frame, folder: Path, seed: int = 0) -> Path:
    """Write a small copy of a clean frame ``[H,W,3]`` with scratches and specks of dust as RGBA; give its path."""
    small = to_uint8(as_float32(cv2.resize(clean, (SIZE, SIZE), interpolation=cv2.INTER_AREA)))
    lost = scratches(SIZE, np.random.default_rng(seed))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    Image.fromarray(np.dstack((np.where(lost[..., None], np.uint8(255), small), np.where(lost, np.uint8(0), np.uint8(255))))).save(path)
    return path


def scratches(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw bent scratches across a square picture, and dust; ``[size,size]`` bool, true where the picture is lost."""
    lost = np.zeros((size, size), np.uint8)
    for _ in range(9):
        start, stop = rng.uniform(0, size, (2, 2))
        bend = (start + stop) / 2 + rng.normal(0, size / 8, 2)
        t = np.linspace(0, 1, 24)[:, None]
        path = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * stop
        cv2.polylines(lost, [np.rint(path).astype(np.int32)], False, (1.0,), int(rng.integers(1, 4)))
    for x, y in rng.integers(0, size, (60, 2)):
        cv2.circle(lost, (int(x), int(y)), int(rng.integers(1, 3)), (1.0,), -1)
    return lost > 0
