"""Frames without a face: what stands in for their points."""
from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .anchors import Points

Flags = NDArray[np.bool_]


class NoFaceInClipError(ValueError):
    """No frame of the clip holds a face, so there is nothing to fill from."""


def segments(count: int, cuts: tuple[int, ...]) -> tuple[slice, ...]:
    """Split frames 0..count-1 at the cuts (each the index of the first frame after it)."""
    edges = [0, *(c for c in sorted(set(cuts)) if 0 < c < count), count]
    return tuple(slice(a, b) for a, b in pairwise(edges) if b > a)


def fill_gaps(points: Points, found: Flags, cuts: tuple[int, ...] = ()) -> Points:
    """Stand in for missing frames: straight lines between the neighbours, the nearest found frame at the ends of a scene.

    A scene without any face takes the nearest found frame of the clip.

    Args:
        points: ``[T,K,2]``, px; values of frames that are not found are not looked at (NaN is fine).
        found: ``[T]``.
        cuts: first frames after scene cuts; nothing is drawn across them.

    Returns:
        ``[T,K,2]``; found frames keep their bits.

    Raises:
        NoFaceInClipError: nothing was found in any frame.
    """
    if not found.any():
        raise NoFaceInClipError(f"None of the {len(found)} frames holds a face; choose another detector or hand points in.")
    filled: Points = points.copy()
    everywhere = np.flatnonzero(found)
    for part in segments(len(points), cuts):
        known = np.flatnonzero(found[part]) + part.start
        missing = np.flatnonzero(~found[part]) + part.start
        if not len(missing):
            continue
        if not len(known):
            filled[missing] = points[everywhere[np.abs(missing[:, None] - everywhere).argmin(1)]]
            continue
        after = np.clip(np.searchsorted(known, missing), 1, max(1, len(known) - 1))
        left, right = known[np.minimum(after - 1, len(known) - 1)], known[np.minimum(after, len(known) - 1)]
        share = np.clip((missing - left) / np.maximum(1, right - left), 0, 1)[:, None, None]
        share = np.where((missing < known[0])[:, None, None], 0.0, share)
        filled[missing] = points[left] * (1 - share) + points[right] * share
    return filled


def longest_gap(found: Flags) -> int:
    """Count the frames of the longest run without a face."""
    longest = run = 0
    for here in found:
        run = 0 if here else run + 1
        longest = max(longest, run)
    return longest
