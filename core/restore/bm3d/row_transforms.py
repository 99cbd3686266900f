"""The transform along the rows of blocks: once for the 8 pixels right of every pixel, and back on the weighted sums."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled

Flat = NDArray[np.float32]

_ZERO = np.float32(0)


@compiled
def analyse(plane: Flat, top: int, left: int, matrix: Flat, rows: int, columns: int, out: Flat) -> None:
    """Transform the 8 pixels right of every pixel of a region; what would read outside the plane is 0.

    Args:
        plane: ``[H,W]``.
        top: first row of the region in the plane; may lie outside.
        left: its first column; may lie outside.
        matrix: ``[8,8]``, one basis function a row.
        rows: of the region.
        columns: of the region.
        out: ``[rows * columns, 8]``, filled.
    """
    height, width = plane.shape
    first, last = max(0, -left), min(columns, width - 7 - left)
    lines = np.zeros((8, columns), np.float32)
    for i in range(rows):
        y = top + i
        if y < 0 or y >= height or last <= first:
            out[i * columns : (i + 1) * columns] = _ZERO
            continue
        source = plane[y][first + left :]
        for u in range(8):
            m0, m1, m2, m3 = matrix[u, 0], matrix[u, 1], matrix[u, 2], matrix[u, 3]
            m4, m5, m6, m7 = matrix[u, 4], matrix[u, 5], matrix[u, 6], matrix[u, 7]
            line = lines[u][first:last]
            for j in range(len(line)):
                line[j] = (m0 * source[j] + m1 * source[j + 1] + m2 * source[j + 2] + m3 * source[j + 3]
                           + m4 * source[j + 4] + m5 * source[j + 5] + m6 * source[j + 6] + m7 * source[j + 7])
        target = out[i * columns : (i + 1) * columns]
        for j in range(columns):
            for u in range(8):
                target[j, u] = lines[u, j]


@compiled
def synthesise(sums: Flat, weights: Flat, matrix: Flat, window: Flat, rows: int, columns: int, total: Flat, weight: Flat) -> None:
    """Undo `analyse` on weighted sums, under the horizontal window.

    Args:
        sums: ``[rows * columns, 8]``.
        weights: ``[rows * columns]``.
        matrix: ``[8,8]`` inverse of the transform: ``pixels = matrix @ coefficients``.
        window: ``[8]``.
        rows: of the region.
        columns: of the region.
        total: ``[rows, columns + 7]``, filled.
        weight: ``[rows, columns + 7]``, filled.
    """
    lines = np.empty((8, columns), np.float32)
    for i in range(rows):
        source = sums[i * columns : (i + 1) * columns]
        for j in range(columns):
            for u in range(8):
                lines[u, j] = source[j, u]
        l0, l1, l2, l3, l4, l5, l6, l7 = lines[0], lines[1], lines[2], lines[3], lines[4], lines[5], lines[6], lines[7]
        spread = weights[i * columns : (i + 1) * columns]
        total[i] = _ZERO
        weight[i] = _ZERO
        for c in range(8):
            k = window[c]
            m0, m1, m2, m3 = k * matrix[c, 0], k * matrix[c, 1], k * matrix[c, 2], k * matrix[c, 3]
            m4, m5, m6, m7 = k * matrix[c, 4], k * matrix[c, 5], k * matrix[c, 6], k * matrix[c, 7]
            t, w = total[i][c : c + columns], weight[i][c : c + columns]
            for j in range(columns):
                t[j] += m0 * l0[j] + m1 * l1[j] + m2 * l2[j] + m3 * l3[j] + m4 * l4[j] + m5 * l5[j] + m6 * l6[j] + m7 * l7[j]
            for j in range(columns):
                w[j] += k * spread[j]
