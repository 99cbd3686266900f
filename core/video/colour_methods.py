"""What of a picture's colours each method of `ColorMatch` measures, and how it carries one set of colours over to another.

Every method is one row of numbers a frame and a map made of two rows. Rows may be averaged over frames: means, deviations and
covariances as they are, distributions as quantiles (the mean of quantile functions is the Wasserstein barycentre, so a drifting
brightness stays one distribution and does not become two).

Sources: mean and deviation: Reinhard, Ashikhmin, Gooch and Shirley, IEEE CG&A 21(5), 2001. Monge-Kantorovich: Pitié and Kokaram, "The
linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", CVMP 2007. White balance: gray world in linear light
(Buchsbaum 1980), brightness kept.
"""
from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Frame, as_float32, as_float64
from .colour_axes import SPACES, SpaceName

Method = Literal["lab", "reinhard", "histogram", "monge_kantorovich", "white_balance"]

Row = NDArray[np.float64]
"""What a method measures of one frame, ``[N]``; N depends on the method."""

LEVELS = 256
"""Quantiles a channel of `histogram`."""

_SPACES: dict[str, SpaceName] = {
    "lab": "cielab", "reinhard": "l-alpha-beta", "histogram": "srgb", "monge_kantorovich": "srgb", "white_balance": "linear"}

_SHARES = (np.arange(LEVELS) + 0.5) / LEVELS
_FLAT = 1e-4  # a deviation below this share of the space's unit is noise: nothing is stretched
_RIDGE = 1e-6  # added to covariances (0..1 squared), so that a flat picture has an inverse
_LUMA = np.array([0.2126, 0.7152, 0.0722])  # BT.709, linear


def measured(method: Method, colours: Frame) -> Row:
    """Measure sRGB colours ``[N,3]``, N at least 1, for a method; give its row."""
    values = as_float64(SPACES[_SPACES[method]].there(colours))
    if method == "histogram":
        return np.asarray(np.quantile(values, _SHARES, axis=0).T.reshape(-1))
    if method == "white_balance":
        return np.asarray(values.mean(0))
    if method == "monge_kantorovich":
        return np.concatenate((values.mean(0), np.cov(values.T, bias=True).reshape(-1)))
    return np.concatenate((values.mean(0), values.std(0)))


def neutral(source: Row) -> Row:
    """Give the gray that is as bright as a row of `white_balance`."""
    return np.full(3, float(source @ _LUMA))


def carried(method: Method, frame: Frame, source: Row, target: Row) -> Frame:
    """Map the colours of a frame so that what measured `source` would measure `target`.

    Args:
        method: the one both rows were measured for.
        frame: ``[H,W,3]`` sRGB.
        source: row of the frame, or of the frames around it.
        target: row to be reached.

    Returns:
        A new ``[H,W,3]``, not clipped.
    """
    if method == "histogram":
        return _requantised(frame, source.reshape(3, LEVELS), target.reshape(3, LEVELS))
    space = SPACES[_SPACES[method]]
    if method == "white_balance":
        gains = target / np.maximum(source, 1e-6)
        gains *= float(source @ _LUMA) / max(float((source * gains) @ _LUMA), 1e-6)  # the cast goes, the brightness stays
        matrix, offset = np.diag(gains), np.zeros(3)
    elif method == "monge_kantorovich":
        matrix = _transport(source[3:].reshape(3, 3), target[3:].reshape(3, 3))
        offset = target[:3] - matrix @ source[:3]
    else:
        unit = 100 if method == "lab" else 1
        stretch = np.where(source[3:] > _FLAT * unit, target[3:] / np.maximum(source[3:], _FLAT * unit), 1.0)
        matrix, offset = np.diag(stretch), target[:3] - stretch * source[:3]
    moved = space.there(frame) @ as_float32(matrix.T)
    moved += as_float32(offset)
    return space.back(moved)


def _transport(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the symmetric matrix that takes one covariance ``[3,3]`` to another and moves colours least."""
    root = _power(source, 0.5)
    inverse = _power(source, -0.5)
    matrix: NDArray[np.float64] = inverse @ _power(root @ (target + _RIDGE * np.eye(3)) @ root, 0.5, 0.0) @ inverse
    return matrix


def _power(matrix: NDArray[np.float64], exponent: float, ridge: float = _RIDGE) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    powered: NDArray[np.float64] = (vectors * np.maximum(values + ridge, 1e-12) ** exponent) @ vectors.T
    return powered


def _requantised(frame: Frame, source: NDArray[np.float64], target: NDArray[np.float64]) -> Frame:
    """Send each channel's quantiles to the target's; beyond the ends values keep their distance."""
    made = np.empty_like(frame)
    for channel in range(3):
        # Levels that many pixels share are several quantiles at one value; it goes to the middle of theirs.
        values, group = np.unique(source[channel], return_inverse=True)
        goals = np.bincount(group, target[channel]) / np.bincount(group)
        plane = frame[..., channel]
        moved = np.interp(plane, values, goals)
        moved += np.minimum(plane - values[0], 0) + np.maximum(plane - values[-1], 0)
        made[..., channel] = moved
    return made
