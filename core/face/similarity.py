"""Similarity transforms (turn, scale, shift; no shear) between point sets, for whole clips at once, in float64.

A matrix ``[2,3]`` sends ``(x, y, 1)`` to the new place; pixel centres are whole numbers.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrices
from .anchors import Points

Floats = NDArray[np.float64]


class GeometryError(ValueError):
    """Points or matrices from which no transform can be made; the message says which frame."""


def fit(source: Points, target: Points) -> Matrices:
    """Fit the least-squares similarity from each source shape to its target.

    Args:
        source: ``[T,K,2]``, px.
        target: ``[K,2]`` or ``[T,K,2]``, px.

    Returns:
        ``[T,2,3]``.

    Raises:
        GeometryError: a source shape whose points coincide.
    """
    a, b = _complex(source), np.broadcast_to(_complex(target), source.shape[:-1])
    a_mid, b_mid = a.mean(-1, keepdims=True), b.mean(-1, keepdims=True)
    spread = (np.abs(a - a_mid) ** 2).sum(-1)
    _require_spread(spread)
    factor = (np.conj(a - a_mid) * (b - b_mid)).sum(-1) / spread
    return from_complex(factor, b_mid[..., 0] - factor * a_mid[..., 0])


def fit_by_spread(source: Points, target: Points) -> Matrices:
    """Fit as LatentSync does: best turn, but scale as the ratio of the standard deviations of all coordinates.

    Same arguments, result and errors as `fit`. On exact similarities both agree; on noisy points this one's scale is larger than
    the least-squares scale by the inverse of the shapes' correlation.
    """
    a, b = _complex(source), np.broadcast_to(_complex(target), source.shape[:-1])
    a_mid, b_mid = a.mean(-1, keepdims=True), b.mean(-1, keepdims=True)
    spread, wanted = (np.abs(a - a_mid) ** 2).sum(-1), (np.abs(b - b_mid) ** 2).sum(-1)
    _require_spread(spread)
    inner = (np.conj(a - a_mid) * (b - b_mid)).sum(-1)
    # In the plane the proper rotation nearest to the correlation is its phase; a mirrored shape is turned, never reflected.
    factor = np.sqrt(wanted / spread) * np.exp(1j * np.angle(inner))
    return from_complex(factor, b_mid[..., 0] - factor * a_mid[..., 0])


def apply(matrices: Matrices, points: Points) -> Points:
    """Send points ``[T,K,2]`` (or ``[K,2]``, the same for every frame) through matrices ``[T,2,3]``: ``[T,K,2]``."""
    placed: Points = points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]
    return placed


def invert(matrices: Matrices) -> Matrices:
    """Invert affine matrices ``[...,2,3]``.

    Raises:
        GeometryError: one is singular.
    """
    linear = matrices[..., :2]
    determinant = np.linalg.det(linear)
    if not (np.abs(determinant) > 1e-12).all():
        frame = int(np.argmin(np.abs(np.atleast_1d(determinant))))
        raise GeometryError(f"The matrix of frame {frame} is singular, so it cannot be inverted; align the clip again.")
    inverse = np.linalg.inv(linear)
    return np.concatenate((inverse, -inverse @ matrices[..., 2:]), -1)


def compose(second: Matrices, first: Matrices) -> Matrices:
    """Give the matrices ``[...,2,3]`` that do `first`, then `second`."""
    linear = second[..., :2] @ first[..., :2]
    return np.concatenate((linear, second[..., :2] @ first[..., 2:] + second[..., 2:]), -1)


def resize_matrix(height: int, width: int, new_height: int, new_width: int) -> Matrices:
    """Give the ``[2,3]`` matrix of a resize: corners stay corners, so pixel centres shift by half a pixel's growth."""
    across, down = new_width / width, new_height / height
    return np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5]])


def scales(matrices: Matrices) -> Floats:
    """Measure how much each matrix ``[...,2,3]`` enlarges: the root of its determinant."""
    root: Floats = np.sqrt(np.abs(np.linalg.det(matrices[..., :2])))
    return root


def to_complex(matrices: Matrices) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Write similarities ``[...,2,3]`` as ``z -> factor z + shift``."""
    return matrices[..., 0, 0] + 1j * matrices[..., 1, 0], matrices[..., 0, 2] + 1j * matrices[..., 1, 2]


def from_complex(factor: NDArray[np.complex128], shift: NDArray[np.complex128]) -> Matrices:
    """Write ``z -> factor z + shift`` as matrices ``[...,2,3]``."""
    rows = np.stack([np.stack([factor.real, -factor.imag, shift.real], -1), np.stack([factor.imag, factor.real, shift.imag], -1)], -2)
    return rows.astype(np.float64)


def _complex(points: Points) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1], np.complex128)


def _require_spread(spread: Floats) -> None:
    if not (spread > 1e-9).all():
        frame = int(np.argmin(np.atleast_1d(spread)))
        raise GeometryError(f"The points of frame {frame} coincide, so they give no scale; mark the frame as not found.")
