"""The pictures that the prior is measured on, and what was done to them."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from skimage import data

from talkies.core.arrays import from_uint8, to_uint8


def picture(name: str, size: int) -> Any:
    """Give a photograph of scikit-image's wheel, its middle square shrunk to ``[size,size,C]``, 0..1."""
    loaded = from_uint8(np.atleast_3d(getattr(data, name)()))
    side = min(loaded.shape[:2])
    top, left = ((n - side) // 2 for n in loaded.shape[:2])
    cut = np.ascontiguousarray(loaded[top : top + side, left : left + side])
    return np.atleast_3d(cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA))


def gaussian(clean: Any, rng: np.random.Generator, sigma: float) -> Any:
    """Add white noise of `sigma` steps of 255."""
    return np.clip(clean + rng.normal(0, sigma / 255, clean.shape), 0, 1)


def poisson(clean: Any, rng: np.random.Generator, peak: float) -> Any:
    """Count photons, `peak` of them in white."""
    return np.clip(rng.poisson(clean * peak) / peak, 0, 1)


def salt_and_pepper(clean: Any, rng: np.random.Generator, share: float) -> Any:
    """Set a share of the values to black or white."""
    lost = rng.random(clean.shape)
    return np.where(lost < share / 2, 0, np.where(lost > 1 - share / 2, 1, clean))


def jpeg(clean: Any, rng: np.random.Generator, quality: float) -> Any:
    """Pack as JPEG and back."""
    flags = cv2.IMREAD_COLOR if clean.shape[2] == 3 else cv2.IMREAD_GRAYSCALE
    _, packed = cv2.imencode(".jpg", to_uint8(clean), [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return from_uint8(np.atleast_3d(cv2.imdecode(packed, flags)))


def correlated(clean: Any, rng: np.random.Generator, sigma: float) -> Any:
    """Add noise of `sigma` steps of 255 that was blurred by 1 px, as film grain is."""
    noise = np.atleast_3d(cv2.GaussianBlur(rng.standard_normal(clean.shape), (0, 0), 1.0))
    return np.clip(clean + noise * (sigma / 255 / noise.std()), 0, 1)


CASES: tuple[tuple[str, Callable[..., Any], float], ...] = (
    ("astronaut", gaussian, 25), ("camera", gaussian, 25), ("coffee", gaussian, 50), ("astronaut", poisson, 30), ("coffee", poisson, 60),
    ("camera", salt_and_pepper, 0.05), ("astronaut", salt_and_pepper, 0.1), ("coffee", jpeg, 10), ("camera", jpeg, 20),
    ("astronaut", correlated, 20),
)
"""Picture, fault and how strong it is."""
