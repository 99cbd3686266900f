"""Square regions of a frame, turned and scaled to a network's input, and the way back for the points found there."""
from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, contiguous
from .interface import Box, Detection, Points


@dataclass(frozen=True)
class Region:
    """A square of the frame: its middle and side in px, and how far it is turned (radians, from x towards y)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def matrix(self, size: int) -> NDArray[np.float64]:
        """Give the ``[2,3]`` matrix from a crop of `size` px to the frame, pixel centres at integers in both."""
        scale = self.side / size
        c, s = math.cos(self.angle) * scale, math.sin(self.angle) * scale
        middle = (size - 1) / 2
        return np.array([[c, -s, self.x - middle * (c - s)], [s, c, self.y - middle * (s + c)]])

    def to_frame(self, points: Points, size: int) -> Points:
        """Bring ``[...,2]`` points of a crop of `size` px to the frame."""
        m = self.matrix(size)
        return np.asarray(points @ m[:, :2].T + m[:, 2])

    def cut(self, frame: Frame, size: int) -> Frame:
        """Cut the region out of ``[H,W,3]`` as ``[size,size,3]``, averaged where it shrinks, black outside the frame."""
        m = self.matrix(size)
        factor = min(int(self.side / size), *frame.shape[:2])
        if factor < 2:
            return np.asarray(cv2.warpAffine(frame, m, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))
        # Bilinear sampling alone would skip pixels: the part that is needed is first averaged down by a whole factor.
        half = self.side / 2 * (abs(math.cos(self.angle)) + abs(math.sin(self.angle))) + factor
        left, top = max(int(self.x - half), 0), max(int(self.y - half), 0)
        right, bottom = min(int(self.x + half) + 1, frame.shape[1]), min(int(self.y + half) + 1, frame.shape[0])
        width, height = (right - left) // factor, (bottom - top) // factor
        if width < 1 or height < 1:
            return np.zeros((size, size, 3), np.float32)
        part = contiguous(frame[top : top + height * factor, left : left + width * factor])
        small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        m[:, 2] = (m[:, 2] - (left, top) + 0.5) / factor - 0.5
        m[:, :2] /= factor
        return np.asarray(cv2.warpAffine(small, m, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))


def around(face: Detection, margin: float) -> Region:
    """Give the upright square region around a face's box, `margin` times its longer side."""
    return Region(*face.centre, margin * max(face.box[2] - face.box[0], face.box[3] - face.box[1], 1.0))


def box_of(points: Points) -> Box:
    """Give the box that just holds ``[K,2]`` points."""
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right), float(bottom)
