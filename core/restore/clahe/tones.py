"""The loops between lightness and tone curves: histograms of tiles, their clipping, and what the curves make of a plane.

A curve maps lightness 0..1 to 0..1 and is kept at 129 knots; its slope is never above the clip limit, so neither is the contrast
of anything under it. All in one file, since numba's stored code is renewed when its own file changes and not when one that it
calls into does.

Source: Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994; ours redistributes what is clipped
to the bins that still have room (Zuiderveld's is added to all, so that its limit is not one).
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frame
from ...compiled import compiled

BINS = 512
KNOTS = 129
BANDS = 8
"""Bands of lightness in which the noise is measured."""

NOISE_STEPS = 4096
"""Steps of the histogram of differences; its range is 0..0.25 of lightness."""

Counts = NDArray[np.int64]

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_FLOORS = 1024  # steps of lightness at which the noise is tabulated
_ABSENT = np.float32(0.02)  # weight of a tile that holds nothing of a pixel's lightness, beside about 1 to 9 of one that does


@compiled
def tile_counts(plane: Frame, counts: Counts) -> None:
    """Add the histogram of every tile of ``plane[h,w]`` to ``counts[rows,columns,BINS]``; values in 0..1."""
    height, width = plane.shape
    rows, columns = counts.shape[0], counts.shape[1]
    for y in range(height):
        row, line = plane[y], counts[y * rows // height]
        for c in range(columns):
            tile = line[c]
            for x in range(-(-c * width // columns), -(-(c + 1) * width // columns)):
                tile[min(int(row[x] * np.float32(BINS)), BINS - 1)] += 1


@compiled
def difference_counts(plane: Frame, counts: Counts) -> None:
    """Add the mixed second differences of 2x2 neighbours, by size, to ``counts[BANDS,NOISE_STEPS]``, each to its band of lightness.

    White noise of deviation s gives these differences, halved, the deviation s; a ramp and a straight edge along the axes none.
    """
    height, width = plane.shape
    scale, half, quarter = np.float32(4 * NOISE_STEPS), np.float32(0.5), np.float32(0.25 * BANDS)
    for y in range(height - 1):
        above, below = plane[y], plane[y + 1]
        for x in range(width - 1):
            size = abs(above[x] - above[x + 1] - below[x] + below[x + 1]) * half
            band = min(int((above[x] + above[x + 1] + below[x] + below[x + 1]) * quarter), BANDS - 1)
            counts[band, min(int(size * scale), NOISE_STEPS - 1)] += 1


@compiled
def limited_curve(shares: NDArray[np.float64], limits: NDArray[np.float64], curve: Frame) -> None:
    """Write the cumulated histogram of one tile, its bins clipped, at the knots.

    Args:
        shares: ``[BINS]``, 1 on average.
        limits: ``[BINS]``, at least 1 each: the most a bin may hold.
        curve: ``[KNOTS]``, goes from 0 to 1.
    """
    low, high = 0.0, 1.0
    for _ in range(40):  # what is added to every bin so that the clipped ones sum to what they were
        middle = 0.5 * (low + high)
        total = 0.0
        for i in range(BINS):
            total += min(shares[i] + middle, limits[i])
        if total < BINS:
            low = middle
        else:
            high = middle
    total, every = 0.0, BINS // (KNOTS - 1)
    curve[0] = _ZERO
    for i in range(BINS):
        total += min(shares[i] + high, limits[i])
        if (i + 1) % every == 0:
            curve[(i + 1) // every] = np.float32(total)
    for k in range(KNOTS):
        curve[k] /= np.float32(total)


@compiled
def presence(curve: Frame, out: Frame) -> None:
    """Write how much a tile's curve has to say at every knot: the square of its slope, which is high where its pixels are."""
    last = KNOTS - 1
    for k in range(KNOTS):
        first, end = max(k - 3, 0), min(k + 3, last)
        slope = (curve[end] - curve[first]) * np.float32(last) / np.float32(end - first)
        out[k] = slope * slope + _ABSENT


@compiled
def changes(plane: Frame, curves: Frame, out: Frame) -> None:
    """Write what the tiles' curves add to every pixel's lightness.

    The curves of the four nearest tiles are weighted by distance, as in the classic method, and by `presence`: across an edge, a tile that
    holds only the other side has no say, so that nothing bleeds over.

    Args:
        plane: ``[h,w]``, 0..1.
        curves: ``[rows,columns,KNOTS]``.
        out: ``[h,w]``.
    """
    height, width = plane.shape
    rows, columns = curves.shape[0], curves.shape[1]
    says = np.empty((rows, columns, KNOTS), np.float32)
    for r in range(rows):
        for c in range(columns):
            presence(curves[r, c], says[r, c])
    weights, sums = np.empty((columns, KNOTS), np.float32), np.empty((columns, KNOTS), np.float32)
    lefts, rights = np.empty(width, np.int64), np.empty(width, np.float32)
    for x in range(width):
        across = min(max((x + np.float32(0.5)) * np.float32(columns) / np.float32(width) - np.float32(0.5), _ZERO), np.float32(columns - 1))
        lefts[x] = int(across)
        rights[x] = across - np.float32(lefts[x])
    top_knot, most = np.float32(KNOTS - 1), KNOTS - 2
    for y in range(height):
        place = min(max((y + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
        top = min(int(place), rows - 1)
        bottom, share = min(top + 1, rows - 1), np.float32(place - top)
        for c in range(columns):
            above, below, curve_above, curve_below = says[top, c], says[bottom, c], curves[top, c], curves[bottom, c]
            weight, total = weights[c], sums[c]
            for k in range(KNOTS):
                a, b = (_ONE - share) * above[k], share * below[k]
                weight[k] = a + b
                total[k] = a * curve_above[k] + b * curve_below[k]
        line, made, first = plane[y], out[y], 0
        while first < width:  # from the middle of one tile to the middle of the next
            left = lefts[first]
            end = first + 1
            while end < width and lefts[end] == left:
                end += 1
            right = min(left + 1, columns - 1)
            weight, weight_right, total, total_right = weights[left], weights[right], sums[left], sums[right]
            for x in range(first, end):
                at = line[x] * top_knot
                k = min(int(at), most)
                f, to_right = at - np.float32(k), rights[x]
                g, to_left = _ONE - f, _ONE - to_right
                w = to_left * (g * weight[k] + f * weight[k + 1]) + to_right * (g * weight_right[k] + f * weight_right[k + 1])
                v = to_left * (g * total[k] + f * total[k + 1]) + to_right * (g * total_right[k] + f * total_right[k + 1])
                made[x] = v / w - line[x]
            first = end


@compiled
def guided_share(
    mean: Frame, change: Frame, square: Frame, product: Frame, noise: NDArray[np.float32], least: float, times: float, gain: Frame,
    offset: Frame
) -> None:
    """Write the line ``gain * p + offset`` that fits the changes in each window best, its slope held back where there is only noise.

    Args:
        mean: ``[h,w]``, window means of the lightness p.
        change: of the change.
        square: of p squared.
        product: of p times the change.
        noise: ``[BANDS]``, deviation of the noise by lightness.
        least: variance, of p, that counts as nothing.
        times: the variance of noise is multiplied by this.
        gain: ``[h,w]``, written.
        offset: ``[h,w]``, written.
    """
    height, width = mean.shape
    floors, top = np.empty(_FLOORS + 1, np.float32), np.float32(_FLOORS)
    for n in range(_FLOORS + 1):
        band = min(max(np.float32(n) / top * np.float32(BANDS) - _HALF, _ZERO), np.float32(BANDS - 1))
        i = min(int(band), BANDS - 2)
        sigma = noise[i] + (band - np.float32(i)) * (noise[i + 1] - noise[i])
        floors[n] = np.float32(least) + np.float32(times) * sigma * sigma
    for y in range(height):
        m, c, s, q, g, o = mean[y], change[y], square[y], product[y], gain[y], offset[y]
        for x in range(width):
            place = np.int32(min(max(m[x], _ZERO), _ONE) * top + _HALF)
            variance = max(s[x] - m[x] * m[x], _ZERO)
            g[x] = (q[x] - m[x] * c[x]) / (variance + floors[place])
            o[x] = c[x] - g[x] * m[x]
