"""Where a tile has moved to in the neighbour frames: a seed around which similar blocks are looked for."""
from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame, Frames, contiguous

SCALE = 4
"""Frames are shrunk by this much for the search, which also averages the noise away."""

_FARTHEST = 8  # small px that a tile may move from one frame to the next beyond what it did before: 32 px
_MARGIN = 3  # small px around a tile that are matched with it
_LEAST = 12  # small px along either side of what is matched
_BETTER = 0.7  # a motion counts when it leaves less than this of the squared difference that standing still leaves


def shrunk(frames: Frames) -> Frames:
    """Shrink planes ``[F,H,W]`` by averaging, for `tile_motion`."""
    height, width = (max(1, n // SCALE) for n in frames.shape[1:])
    return np.stack([cv2.resize(contiguous(frame), (width, height), interpolation=cv2.INTER_AREA) for frame in frames])


def tile_motion(small: Frames, target: int, box: tuple[int, int, int, int]) -> NDArray[np.int64]:
    """Find where a rectangle of the target frame went in every frame.

    From frame to frame away from the target the last motion is carried on and corrected by up to 32 px along either axis.

    Args:
        small: ``[F,h,w]``, as `shrunk` gives them.
        target: frame that the rectangle lies in.
        box: top, bottom, left and right + 1, in px of the full frame.

    Returns:
        ``[F,2]`` dy, dx in px, multiples of 4; 0 for the target and where nothing better than standing still was found.
    """
    motion = np.zeros((len(small), 2), np.int64)
    for direction in (-1, 1):
        here, speed = np.zeros(2, np.int64), np.zeros(2, np.int64)
        for f in range(target + direction, len(small) if direction > 0 else -1, direction):
            rows, columns = (_movable(box[2 * axis : 2 * axis + 2], small.shape[1 + axis], abs(f - target)) for axis in (0, 1))
            if rows[1] - rows[0] < _LEAST or columns[1] - columns[0] < _LEAST:
                return motion
            piece = contiguous(small[target, rows[0] : rows[1], columns[0] : columns[1]])
            there = _found(small[f], piece, (rows[0], columns[0]), here + speed)
            speed, here = there - here, there
            motion[f] = SCALE * here
    return motion


def _movable(side: tuple[int, ...], length: int, distance: int) -> tuple[int, int]:
    """Give the rows (or columns) of the shrunk frame to match for a side of a tile.

    They keep off the frame's ends by what may move in over `distance` frames, and are longer inwards in return.
    """
    off = min(_FARTHEST * distance, max((length - _LEAST) // 2, 0))
    first, last = side[0] // SCALE - _MARGIN, side[1] // SCALE + _MARGIN + 1
    return max(min(max(first, off), length - off - _LEAST), 0), min(max(min(last, length - off), off + _LEAST), length)


def _found(frame: Frame, piece: Frame, at: tuple[int, int], expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """Look for a piece around its expected motion; gives the motion, or none where that is as good."""
    rows, columns = piece.shape
    height, width = frame.shape
    low = np.maximum(np.array(at) + expected - _FARTHEST, 0)
    high = np.minimum(np.array(at) + expected + _FARTHEST, [height - rows, width - columns])
    still = float(((frame[at[0] : at[0] + rows, at[1] : at[1] + columns] - piece) ** 2).sum())
    if (high < low).any():
        return np.zeros(2, np.int64)
    room = contiguous(frame[low[0] : high[0] + rows, low[1] : high[1] + columns])
    squares = np.asarray(cv2.matchTemplate(room, piece, cv2.TM_SQDIFF))
    best = np.unravel_index(int(squares.argmin()), squares.shape)
    if squares[best] >= _BETTER * still:
        return np.zeros(2, np.int64)
    return np.asarray(low + best - at, np.int64)
