"""The motion of a rigid patch between two pictures: tracked features, forward and backward, then one robust similarity.

Features: Shi and Tomasi, CVPR 1994. Tracking: pyramidal Lucas-Kanade (Bouguet 2000), checked backwards (Kalal et al., ICPR 2010).
Fit: RANSAC (Fischler and Bolles 1981), then least squares over the inliers with Cauchy weights.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrices
from . import similarity

MAX_FEATURES = 120
MIN_SUPPORT = 8
BACKWARD_LIMIT = 0.5
RANSAC_LIMIT = 1.5

Gray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PairMotion:
    """The motion from one picture to the next: ``matrix [2,3]`` (picture px), the inliers it rests on, their residual (px RMS)."""

    matrix: Matrices
    support: int
    residual: float

    @property
    def found(self) -> bool:
        """Say whether enough features agreed."""
        return self.support >= MIN_SUPPORT


def pair_motion(before: Gray, after: Gray, inside: Gray) -> PairMotion:
    """Measure how a patch moved from one gray picture to another of the same size.

    Args:
        before: ``[H,W]``, uint8.
        after: ``[H,W]``, uint8.
        inside: ``[H,W]``, uint8, 255 where `before` shows the patch.

    Returns:
        The motion; `found` is false (and the matrix the identity) where there was no texture to follow or the features disagreed.
    """
    corners: Any = cv2.goodFeaturesToTrack(before, MAX_FEATURES, 0.01, max(4.0, before.shape[0] / 60), mask=inside, blockSize=5)
    if corners is None or len(corners) < MIN_SUPPORT:
        return _nothing()
    options: Any = {"winSize": (21, 21), "maxLevel": 3, "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.003)}
    there, forward, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, np.empty_like(corners), **options)
    back, backward, _ = cv2.calcOpticalFlowPyrLK(after, before, there, np.empty_like(corners), **options)
    gap = np.linalg.norm(back - corners, axis=-1)[:, 0]
    kept = (forward[:, 0] == 1) & (backward[:, 0] == 1) & (gap < BACKWARD_LIMIT)
    return fit_robustly(corners[kept, 0], there[kept, 0])


def fit_robustly(source: NDArray[np.float32], target: NDArray[np.float32]) -> PairMotion:
    """Fit one similarity to matched points ``[N,2]``, leaving out those that do not follow it."""
    if len(source) < MIN_SUPPORT:
        return _nothing()
    seed: Any = 0
    cv2.setRNGSeed(seed)
    _, flags = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_LIMIT,
                                           maxIters=500, confidence=0.999)
    if flags is None or int(flags.sum()) < max(MIN_SUPPORT, 0.4 * len(source)):
        return _nothing()
    inlier = flags[:, 0] == 1
    a = source[inlier].astype(np.float64) @ np.array([1, 1j])
    b = target[inlier].astype(np.float64) @ np.array([1, 1j])
    weight = np.ones(len(a))
    factor, shift = 1 + 0j, 0j
    for _ in range(4):
        total = weight.sum()
        a_mid, b_mid = (weight * a).sum() / total, (weight * b).sum() / total
        factor = complex((weight * np.conj(a - a_mid) * (b - b_mid)).sum() / (weight * np.abs(a - a_mid) ** 2).sum())
        shift = complex(b_mid - factor * a_mid)
        error = np.abs(factor * a + shift - b)
        weight = 1 / (1 + (error / max(0.1, 1.5 * float(np.median(error)))) ** 2)
    matrix = similarity.from_complex(np.array(factor), np.array(shift))
    return PairMotion(matrix, len(a), float(np.sqrt((error ** 2).mean())))


def _nothing() -> PairMotion:
    return PairMotion(np.eye(2, 3), 0, 0.0)
