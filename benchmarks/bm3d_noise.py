"""What BM3D measures of noise of known strength, white or correlated, on photographs."""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from skimage import data

from talkies.core.restore.bm3d.measured import measured_noise

from .timing import table

PICTURES = ("astronaut", "coffee", "chelsea", "rocket", "stereo_motorcycle", "retina")
STRENGTHS = (4, 8, 15, 25)
BLURS = (0.0, 0.7, 1.0, 1.5)
"""Standard deviations of the Gaussian that correlates the noise, px; 0 leaves it white."""

_SIDE = 700


def noise() -> dict[str, Any]:
    """Add noise as strong in red, green and blue to colour pictures and to their gray; tell how far off the measured strength is."""
    rows, figures = [], {}
    for kind in ("colour", "gray"):
        for sigma in STRENGTHS:
            for name in PICTURES:
                clean = _picture(name)
                clean = clean if kind == "colour" else clean.mean(2, keepdims=True)
                off = [100 * (_measured(clean, sigma, blur) / sigma - 1) for blur in BLURS]
                figures[f"{kind} {name} {sigma}"] = off
                rows.append([f"{kind} {name}", str(sigma), *(f"{o:+.0f}" for o in off)])
    print(table(["picture", "sigma", *("white, % off" if not b else f"blur {b:g} px" for b in BLURS)], rows) + "\n")
    for kind in ("colour", "gray"):
        for sigma in STRENGTHS:
            found = np.abs([figures[f"{kind} {name} {sigma}"] for name in PICTURES])
            print(f"{kind}, sigma {sigma}: white within {found[:, 0].max():.1f} %, correlated within {found[:, 1:].max():.1f} %")
    return figures


def _picture(name: str) -> Any:
    read = getattr(data, name)()
    picture = (read[0] if isinstance(read, tuple) else read).astype(np.float32) / 255
    return picture[::2, ::2][:_SIDE, :_SIDE] if max(picture.shape) > 900 else picture


def _measured(clean: Any, sigma: float, blur: float) -> float:
    grain = np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)
    if blur:
        grain = cv2.GaussianBlur(grain, (0, 0), blur).reshape(clean.shape)
    return measured_noise([(0, (clean + grain * np.float32(sigma / 255 / grain.std()))[None])]).sigma
