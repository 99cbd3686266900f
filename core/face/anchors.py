"""What alignment needs of a face, whatever the detector: two brow centres and the nose; and the rigid patch around them.

The maps between point schemes are in `detect.scheme`; every one is linear with weights that sum to one, so anchors follow any affine
move of the face exactly.
"""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .detect.interface import COUNTS, Scheme
from .detect.scheme import eye_distance, three_points, to_5, to_68

__all__ = ["COUNTS", "Points", "Scheme", "brows_and_nose", "eye_distance", "filled_polygon", "mouth_centre", "to_68", "upper_face"]

Points = NDArray[np.float64]
"""Points ``[K,2]`` of one face or ``[T,K,2]`` of a clip, x then y, px, pixel centres at whole numbers, float64."""


def brows_and_nose(points: Points, scheme: Scheme) -> Points:
    """Give the centres of the left and right brow and the nose (the picture's left first).

    Args:
        points: ``[T,K,2]`` or ``[K,2]``, px.
        scheme: how they are numbered.

    Returns:
        ``[T,3,2]`` or ``[3,2]``, px.

    Raises:
        DetectorError: K is not the scheme's.
    """
    return three_points(points, scheme)


def mouth_centre(points: Points, scheme: Scheme) -> Points:
    """Give the centre of the mouth, ``[T,2]`` or ``[2]``, px."""
    centre: Points = to_5(points, scheme)[..., 3:5, :].mean(-2)
    return centre


def upper_face(anchors: Points) -> Points:
    """Outline the rigid part of a face, from mid-forehead to the nose, cheek to cheek.

    Args:
        anchors: left brow, right brow, nose ``[3,2]``, px.

    Returns:
        A convex polygon ``[6,2]``, px: wide enough for features, clear of jaw and lips and, mostly, of hair.
    """
    left, right, nose = anchors
    across, middle = right - left, (left + right) / 2
    down = nose - middle
    places = ((-0.62, -0.55), (0.62, -0.55), (0.72, 0.25), (0.5, 1.1), (-0.5, 1.1), (-0.72, 0.25))
    return np.stack([middle + x * across + y * down for x, y in places])


def filled_polygon(polygon: Points, height: int, width: int) -> NDArray[np.uint8]:
    """Draw a convex polygon ``[N,2]`` (px) as a mask ``[height,width]``, 255 inside, 0 outside."""
    mask = np.zeros((height, width), np.uint8)
    corners: Any = np.round(np.clip(polygon, -1e6, 1e6)).astype(np.int32)
    cv2.fillConvexPoly(mask, corners, 255)
    return mask
