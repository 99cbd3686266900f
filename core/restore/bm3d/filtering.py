"""Collaborative filtering of the groups of a tile: transform, shrink, transform back, add up.

Blocks overlap heavily, and the horizontal transform of a block's row depends on nothing but where the row starts. So it is made
once for every pixel and undone once for every pixel (`row_transforms`); in between the sums run in its domain, and a group
pays for the vertical transform and the one across blocks alone. A group is one flat buffer: block after block, row after row, the
eight horizontal coefficients innermost.

All kernels that call one another stand in this file: numba keeps compiled code by the file of the caller alone.

Source: Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007, sections III and IV.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled

Flat = NDArray[np.float32]

DCT, BIOR = 0, 1
"""The transforms along the sides of a block, as the kernels call them."""

_ZERO, _ONE = np.float32(0), np.float32(1)
_C1, _C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(np.cos(k * np.pi / 16) / 2) for k in range(1, 8))
_LIFT = np.float32(11 / 64)
_SHARE = np.float32(0.5)
_HALF = np.float32(np.sqrt(0.5))


@compiled
def dct_down(block: Flat) -> None:
    """Transform the columns of an 8x8 block by the DCT, in place."""
    for j in range(8):
        x0, x1, x2, x3 = block[j], block[j + 8], block[j + 16], block[j + 24]
        x4, x5, x6, x7 = block[j + 32], block[j + 40], block[j + 48], block[j + 56]
        s0, s1, s2, s3 = x0 + x7, x1 + x6, x2 + x5, x3 + x4
        d0, d1, d2, d3 = x0 - x7, x1 - x6, x2 - x5, x3 - x4
        p0, p1, q0, q1 = s0 + s3, s1 + s2, s0 - s3, s1 - s2
        block[j], block[j + 32] = _C4 * (p0 + p1), _C4 * (p0 - p1)
        block[j + 16], block[j + 48] = _C2 * q0 + _C6 * q1, _C6 * q0 - _C2 * q1
        block[j + 8] = _C1 * d0 + _C3 * d1 + _C5 * d2 + _C7 * d3
        block[j + 24] = _C3 * d0 - _C7 * d1 - _C1 * d2 - _C5 * d3
        block[j + 40] = _C5 * d0 - _C1 * d1 + _C7 * d2 + _C3 * d3
        block[j + 56] = _C7 * d0 - _C5 * d1 + _C3 * d2 - _C1 * d3


@compiled
def dct_up(block: Flat) -> None:
    """Undo `dct_down`."""
    for j in range(8):
        a, b = _C4 * block[j], _C4 * block[j + 32]
        c, d = block[j + 16], block[j + 48]
        p0, p1, q0, q1 = a + b, a - b, _C2 * c + _C6 * d, _C6 * c - _C2 * d
        s0, s1, s2, s3 = p0 + q0, p1 + q1, p1 - q1, p0 - q0
        y1, y3, y5, y7 = block[j + 8], block[j + 24], block[j + 40], block[j + 56]
        d0 = _C1 * y1 + _C3 * y3 + _C5 * y5 + _C7 * y7
        d1 = _C3 * y1 - _C7 * y3 - _C1 * y5 - _C5 * y7
        d2 = _C5 * y1 - _C1 * y3 + _C7 * y5 + _C3 * y7
        d3 = _C7 * y1 - _C5 * y3 + _C3 * y5 - _C1 * y7
        block[j], block[j + 8], block[j + 16], block[j + 24] = s0 + d0, s1 + d1, s2 + d2, s3 + d3
        block[j + 32], block[j + 40], block[j + 48], block[j + 56] = s3 - d3, s2 - d2, s1 - d1, s0 - d0


@compiled
def bior_down(block: Flat, scales: Flat) -> None:
    """Transform the columns of an 8x8 block by the wavelet, in place; `scales` ``[8]`` bring the rows to unit length."""
    n0, n1, n2, n3 = scales[0], scales[1], scales[2], scales[4]
    for j in range(8):
        x0, x1, x2, x3 = block[j], block[j + 8], block[j + 16], block[j + 24]
        x4, x5, x6, x7 = block[j + 32], block[j + 40], block[j + 48], block[j + 56]
        d0, d1, d2, d3 = x0 - x1, x2 - x3, x4 - x5, x6 - x7
        f, g = _LIFT * (d1 - d3), _LIFT * (d2 - d0)
        m0, m1, m2, m3 = x0 + x1 + f, x2 + x3 + g, x4 + x5 - f, x6 + x7 - g
        q0, q1 = m0 + m1, m2 + m3
        block[j], block[j + 8] = n0 * (q0 + q1), n1 * (q0 - q1)
        block[j + 16], block[j + 24] = n2 * (m0 - m1), n2 * (m2 - m3)
        block[j + 32], block[j + 40], block[j + 48], block[j + 56] = n3 * d0, n3 * d1, n3 * d2, n3 * d3


@compiled
def bior_up(block: Flat, scales: Flat) -> None:
    """Undo `bior_down`."""
    n0, n1, n2, n3 = _SHARE / scales[0], _SHARE / scales[1], _SHARE / scales[2], _SHARE / scales[4]
    for j in range(8):
        a, b, e0, e1 = n0 * block[j], n1 * block[j + 8], n2 * block[j + 16], n2 * block[j + 24]
        d0, d1, d2, d3 = n3 * block[j + 32], n3 * block[j + 40], n3 * block[j + 48], n3 * block[j + 56]
        f, g = _LIFT * (d1 - d3), _LIFT * (d2 - d0)
        q0, q1 = _SHARE * (a + b), _SHARE * (a - b)
        m0, m1 = _SHARE * (q0 + e0) - f, _SHARE * (q0 - e0) - g
        m2, m3 = _SHARE * (q1 + e1) + f, _SHARE * (q1 - e1) + g
        block[j], block[j + 8], block[j + 16], block[j + 24] = m0 + d0, m0 - d0, m1 + d1, m1 - d1
        block[j + 32], block[j + 40], block[j + 48], block[j + 56] = m2 + d2, m2 - d2, m3 + d3, m3 - d3


@compiled
def down(group: Flat, size: int, kind: int, scales: Flat) -> None:
    """Transform the columns of `size` blocks."""
    if kind == DCT:
        for k in range(size):
            dct_down(group[64 * k : 64 * k + 64])
    else:
        for k in range(size):
            bior_down(group[64 * k : 64 * k + 64], scales)


@compiled
def up(group: Flat, size: int, kind: int, scales: Flat) -> None:
    """Undo `down`."""
    if kind == DCT:
        for k in range(size):
            dct_up(group[64 * k : 64 * k + 64])
    else:
        for k in range(size):
            bior_up(group[64 * k : 64 * k + 64], scales)


@compiled
def across(group: Flat, size: int) -> None:
    """Transform from block to block by Haar, in place; halves are paired again and again."""
    n = 32 * size
    while n >= 64:
        low, high = group[:n], group[n : 2 * n]
        for j in range(n):
            a, b = low[j], high[j]
            low[j] = _HALF * (a + b)
            high[j] = _HALF * (a - b)
        n //= 2


@compiled
def back_across(group: Flat, size: int) -> None:
    """Undo `across`."""
    n = 64
    while n < 64 * size:
        low, high = group[:n], group[n : 2 * n]
        for j in range(n):
            a, b = low[j], high[j]
            low[j] = _HALF * (a + b)
            high[j] = _HALF * (a - b)
        n *= 2


@compiled
def folded(row: Flat, n: int) -> float:
    """Sum the first `n` (64 times a power of two) values of a row in a fixed order; the row is used up."""
    while n > 8:
        n //= 2
        low, high = row[:n], row[n : 2 * n]
        for j in range(n):
            low[j] += high[j]
    total: float = ((row[0] + row[4]) + (row[1] + row[5])) + ((row[2] + row[6]) + (row[3] + row[7]))
    return total


@compiled
def threshold(group: Flat, squares: Flat, variances: Flat, spent: Flat, n: int) -> float:
    """Set coefficients whose square is at most `squares` to 0, but not the mean. Gives the summed variance of those kept."""
    g, s, v, kept = group[:n], squares[:n], variances[:n], spent[:n]
    mean = g[0]
    for j in range(n):
        x = g[j]
        keep = x * x > s[j]
        g[j] = x if keep else _ZERO
        kept[j] = v[j] if keep else _ZERO
    g[0] = mean
    kept[0] = v[0]
    return folded(kept, n)


@compiled
def wiener(group: Flat, pilot: Flat, squares: Flat, variances: Flat, spent: Flat, n: int) -> float:
    """Shrink by ``p ** 2 / (p ** 2 + square)``. Gives the summed variance of what is left of the noise."""
    g, p, s, v, left = group[:n], pilot[:n], squares[:n], variances[:n], spent[:n]
    for j in range(n):
        e = p[j] * p[j]
        w = e / (e + s[j])
        g[j] *= w
        left[j] = w * w * v[j]
    return folded(left, n)


@compiled
def gather(rows: Flat, places: NDArray[np.int32], order: NDArray[np.int64], size: int, stride: int, group: Flat) -> None:
    """Load the blocks at `places` into a group. `rows` is ``[pixels,8]``; `stride` the pixels from one line to the next."""
    for k in range(size):
        place = np.int64(places[k])
        first = 64 * order[k]
        for v in range(8):
            s, d = rows[place + v * stride], group[first + 8 * v : first + 8 * v + 8]
            a0, a1, a2, a3, a4, a5, a6, a7 = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
            d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = a0, a1, a2, a3, a4, a5, a6, a7


@compiled
def scatter(group: Flat, places: NDArray[np.int32], order: NDArray[np.int64], size: int, stride: int, low: int, high: int,
            window: Flat, weight: float, sums: Flat, weights: Flat) -> None:
    """Add the blocks of a group, weighted, to the sums; those at places outside ``low .. high - 1`` are left out."""
    for k in range(size):
        place = np.int64(places[k])
        if place < low or place >= high:
            continue
        place -= low
        first = 64 * order[k]
        for v in range(8):
            w = window[v] * np.float32(weight)
            s, d = sums[place + v * stride], group[first + 8 * v : first + 8 * v + 8]
            a0, a1, a2, a3 = s[0] + w * d[0], s[1] + w * d[1], s[2] + w * d[2], s[3] + w * d[3]
            a4, a5, a6, a7 = s[4] + w * d[4], s[5] + w * d[5], s[6] + w * d[6], s[7] + w * d[7]
            s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a0, a1, a2, a3, a4, a5, a6, a7
            weights[place + v * stride] += w


@compiled
def filter_groups(
    noisy: Flat, pilot: Flat, places: NDArray[np.int32], counts: NDArray[np.int32], orders: NDArray[np.int64], stride: int,
    low: int, high: int, kind: int, scales: Flat, squares: Flat, variances: Flat, window: Flat, by_pilot: bool,
    sums: Flat, weights: Flat,
) -> None:
    """Filter the group of every reference of a tile in every channel, and add the blocks up.

    Args:
        noisy: ``[C,pixels,8]`` of the region, as `row_transforms.analyse` gives it.
        pilot: the same of the basic estimate; any ``[C,0,8]`` when thresholding.
        places: ``[refs,capacity]`` corners of the blocks, as `match` gives them.
        counts: ``[refs]`` how many there are.
        orders: ``[6,32]`` the place of every block in groups of 1, 2, 4 ... 32.
        stride: pixels from one line of the region to the next.
        low: first place to add up (the frames kept are a run of places).
        high: last of them + 1.
        kind: transform along the sides of a block.
        scales: ``[8]`` of the wavelet, see `bior_down`.
        squares: ``[C,6,2048]`` square of the threshold, or the noise's power in the Wiener filter, of every coefficient.
        variances: ``[C,6,2048]`` variance of the noise in every coefficient.
        window: ``[8]`` along one side of a block.
        by_pilot: Wiener filter instead of thresholding.
        sums: ``[C,high - low,8]``, added to.
        weights: ``[C,high - low]``, added to.
    """
    group, guide, spent = np.empty(2048, np.float32), np.empty(2048, np.float32), np.empty(2048, np.float32)
    for n in range(len(places)):
        level, size = 0, 1
        while 2 * size <= counts[n]:
            size *= 2
            level += 1
        order = orders[level]
        for c in range(len(noisy)):
            gather(noisy[c], places[n], order, size, stride, group)
            down(group, size, kind, scales)
            across(group, size)
            if by_pilot:
                gather(pilot[c], places[n], order, size, stride, guide)
                down(guide, size, kind, scales)
                across(guide, size)
                left = wiener(group, guide, squares[c, level], variances[c, level], spent, 64 * size)
            else:
                left = threshold(group, squares[c, level], variances[c, level], spent, 64 * size)
            back_across(group, size)
            up(group, size, kind, scales)
            weight = _ONE / max(left, variances[c, level, 0])
            scatter(group, places[n], order, size, stride, low, high, window, weight, sums[c], weights[c])
