"""Grain by the AV1 specification, in its integers: what a decoder adds to 8-bit luma, bit for bit.

Source: AV1 Bitstream & Decoding Process Specification, 7.18.3 (film grain synthesis process); AFGS1 has the same arithmetic.
"""
from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled
from .table import GrainTable, Points
from .template import HEIGHT, WIDTH, Integers, filtered_template, next_register, rounded


def luma_template(table: GrainTable) -> Integers:
    """Give the 8-bit luma grain template ``[73,82]`` (7.18.3.3); zeros where the table has no luma points."""
    if not table.points_y:
        return np.zeros((HEIGHT, WIDTH), np.int32)
    return filtered_template(table.coeffs_y, table.ar_lag, table.ar_shift, table.seed, table.scale_shift)


def scaling_table(points: Points) -> Integers:
    """Give the scaling of every 8-bit value, ``[256]`` (7.18.3.4)."""
    lookup = np.zeros(256, np.int32)
    if not points:
        return lookup
    lookup[: points[0][0]] = points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        delta = (y1 - y0) * ((65536 + ((x1 - x0) >> 1)) // (x1 - x0))
        lookup[x0:x1] = y0 + ((np.arange(x1 - x0) * delta + 32768) >> 16)
    lookup[points[-1][0] :] = points[-1][1]
    return lookup


def luma_noise(table: GrainTable, height: int, width: int) -> Integers:
    """Give the noise image of luma ``[height,width]``, before scaling (7.18.3.5)."""
    return _noise_image(luma_template(table), height, width, table.seed, table.overlap)


def add_to_luma(luma: NDArray[np.uint8], table: GrainTable, limited: bool = False) -> NDArray[np.uint8]:
    """Add grain to an 8-bit luma plane ``[H,W]`` as a decoder does; `limited` clips to 16..235."""
    if not table.points_y:
        return np.array(luma)
    noise = luma_noise(table, *luma.shape)
    scaled = (scaling_table(table.points_y)[luma] * noise + (1 << (table.scaling_shift - 1))) >> table.scaling_shift
    low, high = (16, 235) if limited else (0, 255)
    grainy: NDArray[np.uint8] = np.asarray(np.clip(luma + scaled, low, high), np.uint8)
    return grainy


@compiled
def _noise_image(template: Integers, height: int, width: int, seed: int, overlap: bool) -> Integers:
    stripes = (height + 31) // 32
    stripe, before = np.zeros((34, width + 34), np.int32), np.zeros((34, width + 34), np.int32)
    image = np.zeros((height, width), np.int32)
    for n in range(stripes):
        before[:] = stripe
        register = seed ^ (((n * 37 + 178) & 255) << 8) ^ ((n * 173 + 105) & 255)
        for first in range(0, width, 32):
            register = next_register(register)
            number = (register >> 8) & 255
            left, top = 9 + (number >> 4) * 2, 9 + (number & 15) * 2
            for i in range(34):
                for j in range(34):
                    g = template[top + i, left + j]
                    if j < 2 and overlap and first > 0:
                        old = stripe[i, first + j]
                        g = old * 27 + g * 17 if j == 0 else old * 17 + g * 27
                        g = min(max(rounded(g, 5), -128), 127)
                    stripe[i, first + j] = g
        for i in range(min(32, height - 32 * n)):
            for x in range(width):
                g = stripe[i, x]
                if i < 2 and n > 0 and overlap:
                    old = before[32 + i, x]
                    g = old * 27 + g * 17 if i == 0 else old * 17 + g * 27
                    g = min(max(rounded(g, 5), -128), 127)
                image[32 * n + i, x] = g
    return image
