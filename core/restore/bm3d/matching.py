"""Block matching: for every reference block the most similar 8x8 blocks around it, exhaustively, in this frame and its neighbours.

The loops run over displacements and not over references. For one displacement the squared differences of a whole band of the
frame are summed once in cells of step x step px, and every block's distance is then a few sums of cells. A plane is kept split by
column phase (x modulo step), so that all inner loops run over neighbouring values.

Source: Dabov, Foi, Katkovnik and Egiazarian, "Image denoising by sparse 3-D transform-domain collaborative filtering", IEEE TIP
16(8), 2007, section III.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled

BLOCK = 8
"""Side of a block, px."""

_ZERO = np.float32(0)


def phases(planes: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Split planes ``[F,H,W]`` by column phase: ``[F,H,step,cells]``, where ``[f,y,p,j]`` is column ``step * j + p``, 0 beyond."""
    frames, height, width = planes.shape
    cells = -(-width // step) + BLOCK // step + 2
    padded = np.zeros((frames, height, cells * step), np.float32)
    padded[:, :, :width] = planes
    split: NDArray[np.float32] = padded.reshape(frames, height, cells, step).transpose(0, 1, 3, 2).copy()
    return split


@compiled
def add_squares(a: NDArray[np.float32], b: NDArray[np.float32], total: NDArray[np.float32]) -> None:
    """Add ``(a - b) ** 2`` to `total`; three rows of one length."""
    for j in range(len(total)):
        d = a[j] - b[j]
        total[j] += d * d


@compiled
def sum_across(whole: NDArray[np.float32], partial: NDArray[np.float32], full: int, rest: int, out: NDArray[np.float32]) -> None:
    """Sum `full` neighbouring cells and, when `rest` > 0, the first columns of the next one, for every reference of a row."""
    n = len(out)
    first, second = whole[:n], partial[:n]
    for j in range(n):
        out[j] = first[j] + second[j]
    for i in range(1, full):
        first, second = whole[i:][:n], partial[i:][:n]
        for j in range(n):
            out[j] += first[j] + second[j]
    if rest:
        second = partial[full:][:n]
        for j in range(n):
            out[j] += second[j]


@compiled
def add_row(a: NDArray[np.float32], total: NDArray[np.float32]) -> None:
    """Add one row to another."""
    for j in range(len(total)):
        total[j] += a[j]


@compiled
def insert(distances: NDArray[np.float32], places: NDArray[np.int32], count: int, distance: float, place: int) -> int:
    """Put a block into a list sorted by distance, behind its equals; a full list loses its last. Gives the new length."""
    at = min(count, len(distances) - 1)
    while at > 0 and distances[at - 1] > distance:
        distances[at] = distances[at - 1]
        places[at] = places[at - 1]
        at -= 1
    distances[at] = distance
    places[at] = place
    return min(count + 1, len(distances))


@compiled
def close(worst: NDArray[np.float32], distances: NDArray[np.float32], counts: NDArray[np.int32], enough: int, tight: float) -> int:
    """Let references that have `enough` blocks up to `tight` take no more: nothing is nearer than 0. Gives how many are still open."""
    still = 0
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            if counts[i, j] >= enough and distances[i, j, enough - 1] <= tight:
                worst[i, j] = _ZERO
            else:
                still += 1
    return still


@compiled
def match(
    split: NDArray[np.float32], step: int, target: int, height: int, width: int, tile: NDArray[np.int64], candidates: NDArray[np.int32],
    first: int, enough: int, tight: float, corners: NDArray[np.int64], region: NDArray[np.int64], limit: float, capacity: int,
    distances: NDArray[np.float32], places: NDArray[np.int32], counts: NDArray[np.int32],
) -> None:
    """Find the most similar blocks of every reference of a tile.

    Args:
        split: the planes to match on, ``[F,H,step,cells]``, as `phases` gives them.
        step: px between references.
        target: frame of the references.
        height: of the planes.
        width: of the planes.
        tile: first and last + 1 row and column of references (in steps).
        candidates: ``[N,3]`` frame, dy, dx, in the order in which equals are preferred; the reference itself must come first.
        first: how many of them are for all references; the others are for those that have found less than `enough` among these.
        enough: see there.
        tight: greatest sum of squared differences of a block that counts for that.
        corners: ``[F,2]`` top and left of the region of every frame, in which places are counted.
        region: rows and columns of a region.
        limit: greatest sum of squared differences of a match.
        capacity: length of a list.
        distances: ``[rows,columns,capacity]`` sums of squared differences, sorted; filled here.
        places: the same shape, ``(f * rows + y) * columns + x`` in the regions; filled here.
        counts: ``[rows,columns]`` how many there are; filled here.
    """
    top, bottom, left, right = tile[0], tile[1], tile[2], tile[3]
    full, rest = BLOCK // step, BLOCK % step
    span = full + (1 if rest else 0)
    rows, columns = bottom - top, right - left
    worst = np.full((rows, columns), np.float32(limit), np.float32)
    counts[:] = 0
    whole = np.zeros(columns + span, np.float32)
    partial = np.zeros(columns + span, np.float32)
    sums = np.empty((rows + span, columns), np.float32)
    part_sums = np.empty((rows + span, columns), np.float32)
    total = np.empty(columns, np.float32)
    for n in range(len(candidates)):
        if n == first and close(worst, distances, counts, enough, tight) == 0:
            break
        f, dy, dx = np.int64(candidates[n, 0]), np.int64(candidates[n, 1]), np.int64(candidates[n, 2])
        a0, a1 = max(top, -(dy // step)), min(bottom, (height - BLOCK - dy) // step + 1)
        b0, b1 = max(left, -(dx // step)), min(right, (width - BLOCK - dx) // step + 1)
        if a0 >= a1 or b0 >= b1:
            continue
        n_refs, n_cells = b1 - b0, b1 - b0 + span - 1
        last = a1 + span - 2
        for k in range(a0, last + 1):
            c, e = whole[:n_cells], partial[:n_cells]
            c[:] = _ZERO
            e[:] = _ZERO
            lines = rest if rest and k == last else step
            for i in range(lines):
                y = step * k + i
                for p in range(step):
                    shifted = p + dx
                    q = b0 + shifted // step
                    a = split[target, y, p][b0 : b0 + n_cells]
                    b = split[f, y + dy, shifted % step][q : q + n_cells]
                    add_squares(a, b, e if p < rest else c)
                if rest and i == rest - 1:
                    sum_across(c, e, full, rest, part_sums[k - top][:n_refs])
            if not (rest and k == last):
                sum_across(c, e, full, rest, sums[k - top][:n_refs])
        for g in range(a0, a1):
            d = total[:n_refs]
            d[:] = sums[g - top][:n_refs]
            for i in range(1, full):
                add_row(sums[g - top + i][:n_refs], d)
            if rest:
                add_row(part_sums[g - top + full][:n_refs], d)
            bar = worst[g - top][b0 - left : b1 - left]
            for j in range(n_refs):
                if d[j] < bar[j]:
                    x = b0 - left + j
                    place = (f * region[0] + step * g + dy - corners[f, 0]) * region[1] + step * (b0 + j) + dx - corners[f, 1]
                    counts[g - top, x] = insert(distances[g - top, x], places[g - top, x], counts[g - top, x], d[j], place)
                    if counts[g - top, x] == capacity:
                        bar[j] = distances[g - top, x, capacity - 1]
