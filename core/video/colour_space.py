"""Y'CbCr <-> R'G'B' by the standards' own matrices, in one place and for both directions.

Sources: ITU-T H.273 (code points, luma weights), ITU-R BT.601, BT.709 and BT.2020 (quantisation). Our own matrix rather than
libswscale's: its full-range result depends on the release by up to two levels, ours does not, and it is faster.
"""
from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from .clip import UNSPECIFIED, Colour

_log = logging.getLogger(__name__)

Matrix = NDArray[np.float64]
"""``[3,4]``: a 3x3 matrix and an offset, as `cv2.transform` takes them."""

SD_LINES = 576
"""A clip that names no matrix is taken for BT.601 up to so many lines and for BT.709 above, as players do."""

_LUMA_WEIGHTS = {  # H.273 MatrixCoefficients -> (K_R, K_B)
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),  # constant luminance is read as non-constant, as libswscale does
}


def luma_weights(colour: Colour, lines: int) -> tuple[float, float]:
    """Give K_R and K_B for a clip of so many lines; where the tag is missing or unknown, by `SD_LINES`."""
    if colour.matrix in _LUMA_WEIGHTS:
        return _LUMA_WEIGHTS[colour.matrix]
    if colour.matrix not in (0, UNSPECIFIED, 3):
        _log.warning("Colour matrix %d of ITU-T H.273 is not known here; taken as BT.601 or BT.709 by the frame size.", colour.matrix)
    return _LUMA_WEIGHTS[5 if lines <= SD_LINES else 1]


def rgb_to_ycc(colour: Colour, lines: int, depth: int) -> Matrix:
    """Give the matrix from R'G'B' in 0..65535 to Y'CbCr code values of `depth` bits; range unspecified means limited."""
    kr, kb = luma_weights(colour, lines)
    kg = 1 - kr - kb
    unit = np.array([
        [kr, kg, kb],
        [-kr / (2 * (1 - kb)), -kg / (2 * (1 - kb)), 0.5],
        [0.5, -kg / (2 * (1 - kr)), -kb / (2 * (1 - kr))],
    ])
    scale, offset = _quantisation(colour, depth)
    return np.hstack([unit * scale[:, None] / 65535, offset[:, None]])


def ycc_to_rgb(colour: Colour, lines: int, depth: int) -> Matrix:
    """Give the matrix from Y'CbCr code values of `depth` bits to R'G'B': 0..255 for 8 bits, 0..65535 for more."""
    inverse = rgb_to_ycc(colour, lines, depth)
    matrix = np.linalg.inv(inverse[:, :3])
    result = np.hstack([matrix, (-matrix @ inverse[:, 3])[:, None]])
    return result / 257 if depth == 8 else result


def _quantisation(colour: Colour, depth: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the scale and the offset of Y', Cb and Cr (BT.709 section 5, BT.2020 table 5, H.273 section 8.3)."""
    top, step = 2**depth - 1, 2 ** (depth - 8)
    if colour.range == 2:
        return np.array([top, top, top], np.float64), np.array([0, 128 * step, 128 * step], np.float64)
    return np.array([219, 224, 224], np.float64) * step, np.array([16, 128, 128], np.float64) * step
