"""Luma and chroma: orthonormal or nearly so, so that noise keeps its level."""
from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, as_float32

ColourSpace = Literal["opponent", "ycbcr"]

_OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [0.5, -1, 0.5]])
_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def matrix(space: ColourSpace) -> NDArray[np.float64]:
    """Give the matrix from RGB to luma and two chromas, ``[3,3]``, its rows of unit length.

    White noise of one level in R, G and B therefore has that level in each plane. YCbCr is that of Rec. 601.
    """
    rows = _OPPONENT if space == "opponent" else _YCBCR
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)


def to_planes(frame: Frame, space: ColourSpace) -> NDArray[np.float32]:
    """Give the planes ``[C,H,W]`` of a frame ``[H,W,C]``, C = 1 (itself) or 3 (luma first)."""
    channels = frame.shape[-1]
    if channels == 1:
        return as_float32(frame[None, ..., 0])
    turn = as_float32(matrix(space))
    return np.stack([sum(turn[p, c] * frame[..., c] for c in range(3)) for p in range(3)])


def from_planes(planes: NDArray[np.float32], space: ColourSpace) -> Frame:
    """Undo `to_planes`."""
    if len(planes) == 1:
        return as_float32(planes[0, ..., None])
    turn = as_float32(np.linalg.inv(matrix(space)))
    return np.stack([sum(turn[c, p] * planes[p] for p in range(3)) for c in range(3)], axis=-1)
