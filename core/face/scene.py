"""Scene cuts: where a clip jumps from one shot to the next, from the pictures and from a track alone."""
from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, contiguous
from .anchors import Points
from .fill import Flags

_THUMB = (32, 32)
_LEAST = 12.0  # levels; under it a change is light or noise
_STANDS_OUT = 4.0  # times the changes around it


class SceneWatch:
    """Sees the frames of a clip once, in order, keeps one number a frame, and then tells the cuts."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
        self._changes: list[float] = []
        self._alike: list[float] = []

    def see(self, frame: Frame) -> None:
        """Take in the next frame, ``[H,W,C]``, 0..1."""
        step = max(1, min(frame.shape[:2]) // 128)
        thumb = np.asarray(cv2.resize(contiguous(frame[::step, ::step, :3]), _THUMB, interpolation=cv2.INTER_AREA), np.float32)
        if self._before is not None:
            self._changes.append(float(np.abs(thumb - self._before).mean()) * 255)
            self._alike.append(_correlation(thumb, self._before))
        self._before = thumb

    def cuts(self) -> tuple[int, ...]:
        """Give the first frame of every scene but the first.

        A cut changes the thumbnail by at least 12 levels, four times what its neighbours change, and leaves it unlike the one
        before (correlation under 0.8): a flash changes levels but not the likeness, a pan changes both over many frames.
        """
        changes = np.array(self._changes)
        found = []
        for i in np.flatnonzero((changes > _LEAST) & (np.array(self._alike) < 0.8)):
            first = max(0, int(i) - 4)
            around = np.delete(changes[first : int(i) + 5], int(i) - first)
            if not len(around) or changes[i] > _STANDS_OUT * float(np.median(around)):
                found.append(int(i) + 1)
        return tuple(found)


def track_cuts(anchors: Points, found: Flags) -> tuple[int, ...]:
    """Find cuts in the track alone: the face is suddenly elsewhere, by more than its brow distance, and stays there.

    Args:
        anchors: brows and nose ``[T,3,2]``, px; gaps filled.
        found: ``[T]``; only found frames are looked at, and a cut is never put inside a gap but at its end.

    Returns:
        First frames after the cuts.
    """
    known = np.flatnonzero(found)
    if len(known) < 2:
        return ()
    places = anchors[known].mean(1)
    width = np.linalg.norm(anchors[known, 1] - anchors[known, 0], axis=-1)
    jump = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    cuts = []
    for i in np.flatnonzero(jump > 1.0 * np.minimum(width[1:], width[:-1])):
        left, right = places[max(0, i - 2) : i + 1], places[i + 1 : i + 4]
        # Both sides are settled compared with the step between them; a stray detection, or a run of a head, is not a cut.
        stays = np.linalg.norm(np.median(right, axis=0) - np.median(left, axis=0))
        spread = max(np.ptp(left, axis=0).max(initial=0.0), np.ptp(right, axis=0).max(initial=0.0))
        if stays > 0.8 * jump[i] and spread < 0.35 * jump[i]:
            cuts.append(int(known[i + 1]))
    return tuple(cuts)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-4 else 1.0
