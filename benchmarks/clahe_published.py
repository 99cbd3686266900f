"""The peers of LB-CLAHE: OpenCV's CLAHE as nodes wrap it, scikit-image's, and the published "learning-based" node from its description."""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from scipy.ndimage import generic_filter
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import equalize_adapthist
from sklearn.ensemble import RandomForestRegressor

from talkies.core.arrays import Frame, to_uint8


def opencv_node(frame: Frame, clip: float = 2.0, tiles: int = 8) -> Frame:
    """OpenCV's 8-bit CLAHE of CIELAB's L between an IMAGE and an IMAGE: float to 8 bits, LAB, CLAHE, RGB, float."""
    lab = cv2.cvtColor(to_uint8(frame), cv2.COLOR_RGB2LAB)
    lightness, a, b = cv2.split(lab)
    lightness = cv2.createCLAHE(clip, (tiles, tiles)).apply(lightness)
    return cv2.cvtColor(cv2.merge([lightness, a, b]), cv2.COLOR_LAB2RGB).astype(np.float32) / 255


def opencv_float(frame: Frame, clip: float = 2.0, tiles: int = 8) -> Frame:
    """OpenCV's 8-bit CLAHE of L, everything around it in float: nothing but L is rounded, so colours differ only by the gamut."""
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB)
    levels = np.round(lab[..., 0] * 2.55).astype(np.uint8)
    lab[..., 0] = cv2.createCLAHE(clip, (tiles, tiles)).apply(levels) / 2.55
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)


def scikit_image(frame: Frame) -> Frame:
    """scikit-image's CLAHE of HSV's V, at its defaults."""
    return equalize_adapthist(frame).astype(np.float32)


def published_node(frame: Frame) -> Frame:
    """The published node: two maps of local statistics that nothing reads, one more for a scalar, a forest fitted on random numbers.

    Each map is one Python call a pixel; what comes out is OpenCV's 16-bit CLAHE at clip limit 2 and 8x8 tiles.
    """
    lab = rgb2lab(frame)
    lightness = lab[..., 0] / 100
    generic_filter(lightness, np.std, size=9)
    generic_filter(lightness, np.mean, size=9)
    texture = float(generic_filter(lightness, np.std, size=5).mean())
    rng = np.random.default_rng(42)
    forest = RandomForestRegressor(n_estimators=100, random_state=42).fit(rng.random((100, 10)), rng.random(100))
    forest.predict(np.array([[lightness.mean(), lightness.std(), texture, *np.zeros(7)]]))
    levels = np.round(lightness * 65535).astype(np.uint16)
    lab[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(levels) / 655.35
    made: Any = lab2rgb(lab)
    return made.astype(np.float32)
