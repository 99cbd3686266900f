"""Robust Whittaker smoothing: needs no pictures, has no lag, knows gaps, strays and cuts.

Minimises ``sum w |x - d|^2 + lambda |third difference of x|^2`` with Cauchy weights, re-estimated.
Sources: Whittaker 1923; Eilers, "A perfect smoother", Analytical Chemistry 75(14), 2003.
"""
from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..anchors import Points
from ..fill import Flags, segments
from .banded import Normal, cauchy_weights, least_deviation

ORDER = 3
"""The order of the difference: 3 keeps parabolas, so nods keep their height."""

STIFFNESS = 1.0
"""Lambda at 25 fps: half of a motion of 4 Hz passes."""

_ROUNDS = 30

_CHOICES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def stiffness_at(fps: Fraction, stiffness: float = STIFFNESS) -> float:
    """Give the lambda that has at `fps` the effect, in seconds, of `stiffness` at 25 fps: it grows with the sixth power."""
    return stiffness * (float(fps) / 25) ** (2 * ORDER)


def choose_stiffness(points: Points, found: Flags, fps: Fraction, cuts: tuple[int, ...] = ()) -> float:
    """Choose lambda at 25 fps for a track: the one that best foretells frames left out (every fourth, in turn).

    A steady detector on a moving head gets little smoothing, a shaky one on a still head much. Median error, so strays do not count.
    """
    if found.sum() < 16:
        return STIFFNESS
    best, chosen = np.inf, STIFFNESS
    known = np.flatnonzero(found)
    for stiffness in _CHOICES:
        errors = []
        for fold in range(4):
            left_out = known[fold::4]
            kept = found.copy()
            kept[left_out] = False
            guess = whittaker(points, kept, fps, stiffness, cuts)
            errors.append(np.linalg.norm(guess[left_out] - points[left_out], axis=-1).mean(1))
        error = float(np.median(np.concatenate(errors)))
        if error < best:
            best, chosen = error, stiffness
    return chosen


def whittaker(points: Points, found: Flags, fps: Fraction, stiffness: float = STIFFNESS, cuts: tuple[int, ...] = ()) -> Points:
    """Smooth paths of points.

    Args:
        points: ``[T,K,2]``, px; finite everywhere.
        found: ``[T]``; the others have weight 0, and get what the smooth path says.
        fps: frames a second.
        stiffness: lambda at 25 fps.
        cuts: first frames after scene cuts; nothing is smoothed across them.

    Returns:
        ``[T,K,2]``. Scenes too short for a third difference use a lower one; a single frame stays as it is.
    """
    smooth: Points = points.copy()
    for part in segments(len(points), cuts):
        count = part.stop - part.start
        if count == 1 or not found[part].any():
            continue
        z = points[part] @ np.array([1, 1j])
        order = min(ORDER, count - 1, max(1, int(found[part].sum()) - 1))
        normal = Normal(count, z.shape[1], order)
        normal.add_differences(order, np.full(count - order, stiffness_at(fps, stiffness)))
        weights, solved, floor = found[part].astype(np.float64), z, least_deviation(z)
        for _ in range(_ROUNDS):
            before, solved = solved, normal.solve(weights, z)
            weights = cauchy_weights(np.abs(solved - z).max(1), found[part], floor)
            if np.abs(solved - before).max() < 1e-3:
                break
        smooth[part] = np.stack((solved.real, solved.imag), -1)
    return smooth
