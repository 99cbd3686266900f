"""The pictures that are measured on: all of them come in scikit-image's wheel, nothing is downloaded."""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from skimage import data

Picture = Any  # an array [H,W,3], float32, 0..1

_NATURAL = ("astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field")
_CELL_WIDTH, _CELL_HEIGHT = 320, 270


def astronaut() -> Picture:
    """Give the 512x512 portrait."""
    return _natural("astronaut")


def scaled(width: int, height: int) -> Picture:
    """Give the portrait resampled to a size by Lanczos 4: soft, with large calm areas, as most of a talking-head frame is."""
    return np.clip(cv2.resize(astronaut(), (width, height), interpolation=cv2.INTER_LANCZOS4), 0, 1)


def mosaic(width: int, height: int) -> Picture:
    """Fill a size with cells of 320x270 px cut from six photographs at their own resolution, in turn, each cell another place."""
    pictures = [_natural(name) for name in _NATURAL]
    canvas = np.zeros((height, width, 3), np.float32)
    cells = [(y, x) for y in range(0, height, _CELL_HEIGHT) for x in range(0, width, _CELL_WIDTH)]
    for number, (y, x) in enumerate(cells):
        picture, turn = pictures[number % len(pictures)], number // len(pictures)
        rows, columns = max(picture.shape[0] // _CELL_HEIGHT, 1), max(picture.shape[1] // _CELL_WIDTH, 1)
        top, left = turn // columns % rows * _CELL_HEIGHT, turn % columns * _CELL_WIDTH
        cell = picture[top : top + _CELL_HEIGHT, left : left + _CELL_WIDTH]
        room = canvas[y : y + _CELL_HEIGHT, x : x + _CELL_WIDTH]
        room[...] = cell[: room.shape[0], : room.shape[1]]
    return canvas


def clip(frames: int, width: int, height: int) -> Picture:
    """Give a clip ``[frames,H,W,3]``: the degraded portrait, shifted a little further in every frame."""
    first = degraded(scaled(width, height))
    return np.stack([np.roll(first, (i % height, 2 * i % width), axis=(0, 1)) for i in range(frames)])


def degraded(sharp: Picture, sigma: float = 1.0, noise: float = 1.5) -> Picture:
    """Blur by a Gaussian of `sigma` px and add white noise of `noise` steps of 255, the same at every call."""
    blurred = cv2.GaussianBlur(sharp, (0, 0), sigma)
    grain = np.random.default_rng(1234).standard_normal(sharp.shape) * (noise / 255)
    return np.clip(blurred + grain, 0, 1).astype(np.float32)


def step_edge(low: float = 0.2, high: float = 0.8) -> Picture:
    """Give a hard vertical edge, 64x64, with room above and below so that no halo is hidden by clipping."""
    edge = np.full((64, 64, 3), low, np.float32)
    edge[:, 32:] = high
    return edge


def flat_noise(noise: float = 1.5) -> Picture:
    """Give middle gray, 256x256, with white noise of `noise` steps of 255, the same in all three channels."""
    grain = np.random.default_rng(7).standard_normal((256, 256, 1)) * (noise / 255)
    return np.repeat(0.5 + grain, 3, axis=2).astype(np.float32)


def _natural(name: str) -> Picture:
    picture: Any = getattr(data, name)()
    return picture.astype(np.float32) / np.float32(255)
