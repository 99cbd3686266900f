"""Refining the motion of a patch on its pixels: Gauss-Newton on brightness, for a similarity plus gain and offset.

Corners alone follow whichever of the face's depths has most of them; on a nod that is not the depth of the whole patch, and the crop
shakes. A direct fit weighs every textured pixel. It is inverse compositional (Baker and Matthews, IJCV 56(3), 2004), with Cauchy
weights for what is not rigid (lids, pupils, hair) and gain and offset for light that changes.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrices, as_float32
from .flow_fit import Gray

MAX_PIXELS = 4000
LEVELS = ((6.0, 20), (3.0, 12), (1.0, 20))
"""Blur, px, and most steps of each level, from coarse to fine."""

SETTLED, ACCEPTED = 0.004, 0.05
_MIN_PIXELS = 200

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Refined:
    """The refined ``matrix [2,3]``, how well the patches then agree (correlation, -1..1), and whether the fit settled."""

    matrix: Matrices
    agreement: float
    settled: bool


def refine(before: Gray, after: Gray, inside: Gray, matrix: Matrices, *, rough: bool = False) -> Refined:
    """Refine the motion of a patch from a first guess, coarse to fine.

    Args:
        before: ``[H,W]``, uint8.
        after: ``[H,W]``, uint8.
        inside: ``[H,W]``, uint8, 255 where `before` shows the patch.
        matrix: the guess, ``[2,3]``, picture px, good to some 5 px.
        rough: the guess is worse than that; start coarser.

    Returns:
        The refined motion. Where there is too little texture or the steps do not shrink, `settled` is false and the guess comes back.
    """
    refined = Refined(matrix, 0.0, False)
    for sigma, iterations in LEVELS if rough else LEVELS[1:]:
        refined = _refine_at(before, after, inside, refined.matrix, sigma, iterations)
        if not refined.settled:
            return Refined(matrix, refined.agreement, False)
    return refined


def _refine_at(before: Gray, after: Gray, inside: Gray, matrix: Matrices, sigma: float, iterations: int) -> Refined:
    source, target = _blurred(before, sigma), _blurred(after, sigma)
    slope_x, slope_y = _slopes(source)
    places = _textured(np.where(inside > 0, slope_x * slope_x + slope_y * slope_y, np.float32(0)))
    if len(places) < _MIN_PIXELS:
        return Refined(matrix, 0.0, False)
    rows, columns = np.divmod(places, before.shape[1])
    middle = np.array([columns.mean(), rows.mean()])
    x, y = as_float32(columns - middle[0]), as_float32(rows - middle[1])
    reach = np.float32(max(1.0, float(np.sqrt((x * x + y * y).mean()))))
    value = source.reshape(-1)[places]
    gx, gy = slope_x.reshape(-1)[places], slope_y.reshape(-1)[places]
    basis = as_float32(np.stack([gx, gy, (gx * x + gy * y) / reach, (gy * x - gx * y) / reach, value / 64, np.ones_like(value)]))
    # z -> factor z + shift on coordinates about the patch's middle.
    centre = complex(*middle)
    factor = complex(matrix[0, 0], matrix[1, 0])
    shift = factor * centre + complex(matrix[0, 2], matrix[1, 2]) - centre
    moved, step_size = value, np.inf
    for _ in range(iterations):
        moved = _sampled(target, x, y, factor, shift + centre)
        step = _step(basis, moved - value)
        turn = 1 + complex(step[2], step[3]) / float(reach)
        factor, shift = factor / turn, shift - factor / turn * complex(step[0], step[1])
        if not 0.5 < abs(factor) < 2 or abs(shift) > max(before.shape):
            return Refined(matrix, 0.0, False)
        step_size = max(abs(complex(step[0], step[1])), abs(complex(step[2], step[3])))
        if step_size < SETTLED:
            break
    move = shift + centre - factor * centre
    fitted = np.array([[factor.real, -factor.imag, move.real], [factor.imag, factor.real, move.imag]])
    return Refined(fitted, _correlation(moved, value), step_size < ACCEPTED)


def _step(basis: Values, error: Values) -> NDArray[np.float64]:
    """Solve one least-squares step, weighted by how well each pixel fits."""
    sample = error[:: max(1, len(error) // 1000)]
    level = 1.4826 * float(np.median(np.abs(sample - np.median(sample)))) + 0.5
    weighted = basis / (1 + np.square(error / np.float32(2.385 * level)))
    normal = (weighted @ basis.T).astype(np.float64)
    normal[np.diag_indices(len(normal))] *= 1 + 1e-6
    return np.linalg.solve(normal, (weighted @ error).astype(np.float64))


def _sampled(picture: Values, x: Values, y: Values, factor: complex, shift: complex) -> Values:
    a, b = np.float32(factor.real), np.float32(factor.imag)
    map_x, map_y = a * x - b * y + np.float32(shift.real), b * x + a * y + np.float32(shift.imag)
    edge: Any = cv2.BORDER_REPLICATE
    return np.asarray(cv2.remap(picture, map_x[:, None], map_y[:, None], cv2.INTER_LINEAR, borderMode=edge), np.float32)[:, 0]


def _correlation(a: Values, b: Values) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / max(1e-6, float(np.sqrt((a * a).mean() * (b * b).mean()))))


def _blurred(picture: Gray, sigma: float) -> Values:
    return np.asarray(cv2.GaussianBlur(as_float32(picture), (0, 0), sigma), np.float32)


def _slopes(picture: Values) -> tuple[Values, Values]:
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _textured(strength: Values) -> NDArray[np.intp]:
    """Give flat indices of the textured half of the patch, thinned evenly to at most `MAX_PIXELS`."""
    flat = strength.reshape(-1)
    present = np.flatnonzero(flat > 0.25)
    if len(present) > MAX_PIXELS:
        limit = np.median(flat[present])
        present = present[flat[present] >= limit]
        present = present[:: -(-len(present) // MAX_PIXELS)]
    return present
