"""Full-reference picture quality: PSNR and SSIM."""
from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, as_float64

_WINDOW, _SIGMA = 11, 1.5


def psnr(picture: Frame, reference: Frame, peak: float = 1.0) -> float:
    """Give the peak signal-to-noise ratio in dB of arrays of one shape; infinite where they are equal.

    Raises:
        ValueError: the shapes differ.
    """
    _require_one_shape(picture, reference)
    error = float(np.mean((as_float64(picture) - as_float64(reference)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


def ssim(picture: Frame, reference: Frame, peak: float = 1.0) -> float:
    """Give the mean structural similarity of two frames, the mean over their channels; 1 where they are equal.

    Gaussian window of 11x11 px with a standard deviation of 1.5, K1 = 0.01, K2 = 0.03, the mean taken where the whole window lies
    inside; smaller frames are mirrored at their edges. Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from
    error visibility to structural similarity", IEEE TIP 13(4), 2004.

    Args:
        picture: ``[H,W]`` or ``[H,W,C]``.
        reference: the same shape.
        peak: the range of the values.

    Raises:
        ValueError: the shapes differ.
    """
    _require_one_shape(picture, reference)
    planes = (as_float64(a).reshape(*a.shape[:2], -1) for a in (picture, reference))
    first, second = planes
    return float(np.mean([_similarity(as_float64(first[..., c]), as_float64(second[..., c]), peak) for c in range(first.shape[2])]))


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64], peak: float) -> float:
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a, variance_b = _blurred(a * a) - mean_a * mean_a, _blurred(b * b) - mean_b * mean_b
    covariance = _blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a * mean_a + mean_b * mean_b + c1) * (variance_a + variance_b + c2)
    edge = _WINDOW // 2
    if min(a.shape) >= _WINDOW:
        similarity = similarity[edge:-edge, edge:-edge]
    return float(similarity.mean())


def _blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    return as_float64(cv2.GaussianBlur(plane, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT))


def _require_one_shape(picture: Frame, reference: Frame) -> None:
    if picture.shape != reference.shape:
        raise ValueError(f"the picture has shape {list(picture.shape)}, the reference {list(reference.shape)}; one shape is wanted.")
