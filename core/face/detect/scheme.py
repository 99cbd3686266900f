"""From one numbering of face points to another: 468 to 68 to 5, brows and nose, the distance of the eyes, the upper face.

Left and right are the picture's throughout. Every mapping is linear in the points, so it commutes with similarities, keeps
smoothed tracks smooth, and works on ``[K,2]`` and ``[T,K,2]`` alike. The 68-point order is that of the 300-W annotation (Sagonas
et al., 2013): jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, outer lips 48-59, inner lips 60-67. Mesh numbers are those of
MediaPipe's canonical face model. Where no vertex of the mesh lies on a point, the point is set between two neighbours of one
contour: the jaw's at equal arc lengths from the ear (127, 356) to the chin (152), the bridge's at equal steps from 168 to the tip.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .interface import COUNTS, DetectorError, Scheme

Array = NDArray[np.float64]

_JAW: tuple[tuple[int, int, float], ...] = (
    (127, 127, 0), (234, 93, 0.3), (93, 132, 0.53), (132, 58, 0.65), (58, 172, 0.85), (136, 150, 0.3), (149, 149, 0),
    (176, 148, 0.55), (152, 152, 0), (400, 377, 0.55), (378, 378, 0), (365, 379, 0.33), (288, 397, 0.9), (361, 288, 0.68),
    (323, 361, 0.55), (454, 323, 0.3), (356, 356, 0),
)
_BRIDGE: tuple[tuple[int, int, float], ...] = ((168, 168, 0), (6, 197, 0.65), (195, 5, 0.47), (4, 4, 0))
_REST = (
    98, 97, 2, 326, 327,  # under the nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes, from the outer (left) and the inner corner (right) over the lid
    61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91,  # outer lips
    78, 81, 13, 311, 308, 402, 14, 178,  # inner lips
)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)  # upper edges

_PAIRS = (*_JAW, *((i, i, 0.0) for i in _BROWS), *_BRIDGE, *((i, i, 0.0) for i in _REST))
_FIRST, _SECOND = np.array([p[0] for p in _PAIRS]), np.array([p[1] for p in _PAIRS])
_SHARE = np.array([p[2] for p in _PAIRS])[:, None]

STEADY = (9, 8, 168, 6, 197, 195, 5, 4, 33, 133, 362, 263, 127, 356, 234, 454, 98, 327)
"""Mesh points that speech and blinking hardly move: bridge, corners of the eyes, temples, wings of the nose."""

_UPPER_MESH = (10, 338, 297, 332, 284, 251, 389, 356, 454, 327, 2, 98, 234, 127, 162, 21, 54, 103, 67, 109)

# Brows and nose as weights of left eye, right eye, nose tip, left and right corner of the mouth. Each row sums to 1.
_FIVE_TO_THREE = np.array([
    [1.146, 0.148, 0.130, -0.112, -0.312],
    [0.148, 1.146, 0.130, -0.312, -0.112],
    [0.071, 0.071, 0.656, 0.101, 0.101],
])


def check(points: Array, scheme: Scheme) -> Array:
    """Give `points` if their shape ``[...,K,2]`` fits the scheme.

    Raises:
        DetectorError: it does not.
    """
    if points.ndim < 2 or points.shape[-2:] != (COUNTS[scheme], 2):
        raise DetectorError(f"points have shape {list(points.shape)}; {scheme} is [...,{COUNTS[scheme]},2].")
    return points


def to_68(points: Array, scheme: Scheme) -> Array:
    """Bring ``[...,468,2]`` (or 68 points, unchanged) to ``[...,68,2]``.

    Raises:
        DetectorError: five points or a box do not say where 68 lie.
    """
    check(points, scheme)
    if scheme == "points68":
        return points
    if scheme != "mesh468":
        raise DetectorError(f"{scheme} holds {COUNTS[scheme]} points; 68 can be had from the mesh or face_alignment only.")
    return np.asarray(points[..., _FIRST, :] * (1 - _SHARE) + points[..., _SECOND, :] * _SHARE)


def to_5(points: Array, scheme: Scheme) -> Array:
    """Bring points of any scheme to ``[...,5,2]``: middles of the left and right eye, tip of the nose, left and right mouth corner."""
    check(points, scheme)
    if scheme in ("points5", "box"):
        return points
    p = to_68(points, scheme)
    return np.stack((p[..., 36:42, :].mean(-2), p[..., 42:48, :].mean(-2), p[..., 30, :], p[..., 48, :], p[..., 54, :]), -2)


def three_points(points: Array, scheme: Scheme) -> Array:
    """Bring points of any scheme to ``[...,3,2]``: middle of the left brow, of the right brow, and of the lower nose.

    They are what the three-point templates of published face alignments mean: brows as the mean of 17-21 and 22-26, the nose as
    the mean of tip, wings and lower bridge. From five points they come by a mirror-symmetric linear map, least squares over mesh
    points of three people (error about 0.02 of the eye distance).
    """
    check(points, scheme)
    if scheme in ("points5", "box"):
        return np.asarray(_FIVE_TO_THREE @ points)
    p = to_68(points, scheme)
    return np.stack((p[..., 17:22, :].mean(-2), p[..., 22:27, :].mean(-2), p[..., (29, 30, 31, 35), :].mean(-2)), -2)


def eye_distance(points: Array, scheme: Scheme) -> Array:
    """Give the distance between the middles of the eyes, ``[...]``, px."""
    five = to_5(points, scheme)
    return np.asarray(np.linalg.norm(five[..., 1, :] - five[..., 0, :], axis=-1))


def upper_face(points: Array, scheme: Scheme) -> Array:
    """Give the outline ``[...,N,2]`` of the part of the face that speech moves least: forehead and temples down to the nose's base."""
    check(points, scheme)
    if scheme == "mesh468":
        return np.asarray(points[..., list(_UPPER_MESH), :])
    left, right = (to_5(points, scheme)[..., i, :] for i in (0, 1))
    middle, across = (left + right) / 2, right - left
    down = np.stack((-across[..., 1], across[..., 0]), -1)
    # In eye distances from between the eyes, as the mesh has them on frontal faces.
    shape = ((-0.55, -0.62), (0.0, -0.75), (0.55, -0.62), (0.9, -0.2), (0.95, 0.2), (0.3, 0.52), (-0.3, 0.52), (-0.95, 0.2), (-0.9, -0.2))
    return np.stack([middle + u * across + v * down for u, v in shape], -2)
