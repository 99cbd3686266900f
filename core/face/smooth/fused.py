"""Detector and measured motion fused: the default smoothing.

Minimises  sum_t w_t |x_t - d_t|^2  +  lambda sum_t |x_(t+1) - A_t x_t|^2  over the anchors x, where d are the detected ones and A_t is
the measured motion of the face from frame t to t+1. The motion knows the fast part (it is good to some 0.1 px) and the detector
the slow part (it does not drift), so real head motion passes untouched, as a low-pass cannot let it, and the jitter goes.

Weights w are Cauchy's, re-estimated (iteratively reweighted least squares); missing frames have w = 0; cuts have no second term;
pairs in which the face could not be followed are held together by the Whittaker term of `whittaker` instead.
With points written as complex numbers every A_t is z -> a z + b and the system is Hermitian with bandwidth 3.
"""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..anchors import Points
from ..fill import Flags, segments
from ..motion import FaceMotion
from ..similarity import to_complex
from .banded import Complexes, Normal, cauchy_weights, least_deviation
from .whittaker import ORDER, stiffness_at

MOTION_NOISE = 0.02
"""Standard deviation of one measured step, px at a brow distance of 100 px: rendered clips with noise and JPEG give 0.01 to 0.03."""

LIMITS = (30.0, 3000.0)
"""Least and most lambda at 25 fps, whatever the detector's noise."""

_ROUNDS = 12


@dataclass(frozen=True)
class Fused:
    """The result: anchors ``[T,3,2]``, the lambda used (at 25 fps), and the pairs that fell back to Whittaker."""

    anchors: Points
    stiffness: float
    fallback: Flags


def detector_noise(anchors: Points, found: Flags, motion: FaceMotion) -> float:
    """Measure the detector's noise, px per coordinate: what its frame-to-frame steps have beyond the measured motion, robustly."""
    usable = motion.followed & found[:-1] & found[1:]
    if not usable.any():
        return float("nan")
    z = anchors @ np.array([1, 1j])
    factor, shift = to_complex(motion.matrices[usable])
    beyond = (z[1:][usable] - factor[:, None] * z[:-1][usable] - shift[:, None]).mean(1)
    parts = np.concatenate((beyond.real, beyond.imag))
    return float(1.4826 * np.median(np.abs(parts)) / np.sqrt(2))


def auto_stiffness(anchors: Points, found: Flags, motion: FaceMotion) -> float:
    """Choose lambda at 25 fps: the detector's variance over the measured motion's, within `LIMITS`."""
    noise = detector_noise(anchors, found, motion)
    if not np.isfinite(noise):
        return LIMITS[0]
    width = float(np.median(np.linalg.norm(anchors[:, 1] - anchors[:, 0], axis=-1)))
    return float(np.clip((noise / (MOTION_NOISE * max(width, 1.0) / 100)) ** 2, *LIMITS))


def fuse(anchors: Points, found: Flags, motion: FaceMotion, fps: Fraction, stiffness: float = 0.0, cuts: tuple[int, ...] = ()) -> Fused:
    """Fuse detected anchors with the measured motion.

    Args:
        anchors: brows and nose as detected, ``[T,3,2]``, px; gaps filled with anything finite.
        found: ``[T]``.
        motion: T - 1 pairs.
        fps: frames a second; lambda is scaled by (fps/25)^2, which keeps the time over which the two are averaged.
        stiffness: lambda at 25 fps; 0 takes it from the detector's own noise.
        cuts: further cuts, beside the motion's own.

    Returns:
        Fused anchors; the same numbers for T = 1 as came in.
    """
    stiffness = stiffness or auto_stiffness(anchors, found, motion)
    strength = stiffness * (float(fps) / 25) ** 2
    z = anchors @ np.array([1, 1j])
    fused = z.copy()
    fallback = ~motion.followed
    every_cut = tuple(sorted({*cuts, *motion.cuts}))
    for cut in every_cut:
        if 0 < cut <= len(fallback):
            fallback[cut - 1] = False
    for part in segments(len(z), every_cut):
        pairs = slice(part.start, part.stop - 1)
        factor, shift = to_complex(motion.matrices[pairs])
        fused[part] = _solve(z[part], found[part], factor, shift, motion.followed[pairs], strength, stiffness_at(fps))
    return Fused(np.stack((fused.real, fused.imag), -1), stiffness, fallback)


def _solve(
    z: Complexes, found: Flags, factor: Complexes, shift: Complexes, followed: Flags, strength: float, whittaker: float,
) -> Complexes:
    count = len(z)
    if count == 1 or not found.any():
        return z
    links = Normal(count, z.shape[1], width=ORDER)
    links.add_steps(factor, shift, strength * followed.astype(np.float64))
    # Where a step is missing, the path through its neighbourhood is kept smooth; elsewhere the measured steps say it all.
    broken = np.flatnonzero(~followed)
    for order in range(min(ORDER, count - 1), 0, -1):
        rows = np.zeros(count - order)
        for pair in broken:
            rows[max(0, pair - order + 1) : pair + 1] = whittaker
        if len(rows):
            links.add_differences(order, rows if order == min(ORDER, count - 1) else rows * 1e-6)
    weights, floor = found.astype(np.float64), least_deviation(z)
    solved = z
    for _ in range(_ROUNDS):
        solved_before, solved = solved, links.solve(weights, z)
        weights = cauchy_weights(np.abs(solved - z).max(1), found, floor)
        if np.abs(solved - solved_before).max() < 1e-4:
            break
    return solved
