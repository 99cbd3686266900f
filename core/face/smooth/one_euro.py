"""The One Euro filter: causal, for live use. It looks at no later frame, so it lags a little when the face moves.

Source: Casiez, Roussel and Vogel, "1 Euro Filter", CHI 2012. Speeds are measured in brow distances a second, so that the settings mean
the same for large and small faces.
"""
from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..anchors import Points
from ..fill import Flags

MIN_CUTOFF, BETA, SPEED_CUTOFF = 1.0, 20.0, 1.0
"""Cutoff at rest (Hz), its growth with speed (Hz per brow distance a second), cutoff of the speed itself (Hz)."""


def one_euro(
    anchors: Points, found: Flags, fps: Fraction, *, min_cutoff: float = MIN_CUTOFF, beta: float = BETA, cuts: tuple[int, ...] = (),
) -> Points:
    """Filter brows and nose ``[T,3,2]`` (px).

    Args:
        anchors: finite everywhere.
        found: ``[T]``; at the others the last value is held, as live use must.
        fps: frames a second.
        min_cutoff: Hz; lower is steadier at rest.
        beta: higher follows fast motion more closely.
        cuts: first frames after scene cuts, where it starts anew.

    Returns:
        ``[T,3,2]``.
    """
    rate = float(fps)
    filtered: Points = anchors.copy()
    starts = {0, *cuts}
    speed = np.zeros_like(anchors[0])
    for frame in range(len(anchors)):
        if frame in starts:
            speed = np.zeros_like(anchors[0])
            continue
        last = filtered[frame - 1]
        if not found[frame]:
            filtered[frame] = last
            continue
        width = max(1.0, float(np.linalg.norm(anchors[frame, 1] - anchors[frame, 0])))
        step = (anchors[frame] - last) * rate / width
        speed = speed + _share(SPEED_CUTOFF, rate) * (step - speed)
        # One cutoff for all points: each its own would bend the face's shape.
        cutoff = min_cutoff + beta * float(np.linalg.norm(speed.mean(0)))
        filtered[frame] = last + _share(cutoff, rate) * (anchors[frame] - last)
    return filtered


def _share(cutoff: float, rate: float) -> float:
    """Give the share of the new value in a first-order low-pass."""
    return 1 / (1 + rate / (2 * np.pi * cutoff))
