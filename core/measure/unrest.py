"""What moves or flickers in a clip from frame to frame, whoever the frames show."""
from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, contiguous, to_uint8

GRID = 16
"""Blocks a side, over which brightness is averaged before its flicker is taken: noise and detail drop out, pumping stays."""

_WIDTH = 320  # px; motion is measured on a picture no wider than this


def luma(frame: Frame) -> NDArray[np.float32]:
    """Give the BT.601 luma of ``[H,W,C]``, 0..1, as ``[H,W]``; alpha is left out."""
    if frame.shape[-1] == 1:
        return frame[..., 0]
    return np.asarray(cv2.cvtColor(contiguous(frame[..., :3]), cv2.COLOR_RGB2GRAY), np.float32)


def block_levels(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average luma ``[H,W]`` over a grid of blocks, as levels 0..255, ``[GRID,GRID]`` (fewer for a smaller picture)."""
    height, width = plane.shape
    size = min(GRID, width), min(GRID, height)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32) * 255


def flicker(before: NDArray[np.float32], now: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Give how far block levels leave the middle of their neighbours in time, root mean square, levels 0..255.

    The second difference of time is blind to steady light, to fades and to brightness that drifts; what pumps or blinks from frame
    to frame is what it sees. All three are `block_levels` of consecutive frames.
    """
    return float(np.sqrt(np.mean((now - (before + after) / 2) ** 2)))


class Mover:
    """Measures how far the whole picture moves from frame to frame: the median of dense optical flow (DIS) on a small picture."""

    def __init__(self) -> None:
        """Begin a clip."""
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before: NDArray[np.uint8] | None = None

    def see(self, plane: NDArray[np.float32]) -> NDArray[np.float64]:
        """Take in the luma ``[H,W]``, 0..1, of the next frame; give the motion since the one before, ``(x, y)`` px of that frame."""
        height, width = plane.shape
        shrink = min(1.0, _WIDTH / max(height, width))
        size = max(round(width * shrink), 16), max(round(height * shrink), 16)
        small = to_uint8(np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)[..., None])[..., 0]
        before, self._before = self._before, contiguous(small)
        if before is None:
            return np.zeros(2)
        flow = np.asarray(self._flow.calc(before, self._before, np.zeros((*small.shape, 2), np.float32)))
        motion = np.median(flow.reshape(-1, 2), axis=0)
        return np.array([motion[0] * width / size[0], motion[1] * height / size[1]], np.float64)
