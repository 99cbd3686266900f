"""The loop of `AddGrain`: one pass over a frame, its grain pieced together row by row from blocks of the tiles.

All in one file, since numba's stored code is renewed when its own file changes and not when one that it calls into does.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled

Rows = NDArray[np.float32]
Places = NDArray[np.int64]

_R, _G, _B = np.float32(0.299), np.float32(0.587), np.float32(0.114)  # luma of Rec. 601
_RED_OF_CR, _BLUE_OF_CB = np.float32(1.402), np.float32(1.772)
_GREEN_OF_CR, _GREEN_OF_CB = np.float32(-0.714136), np.float32(-0.344136)
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def hashed(a: int, b: int, c: int, d: int) -> int:
    """Mix four numbers to 32 random bits (multiply and xorshift, after Wang's and Murmur's finalisers)."""
    h = np.uint32(2166136261)
    for n in (a, b, c, d):
        h ^= np.uint32(n & 0xFFFFFFFF)
        h = np.uint32(h * np.uint32(0x9E3779B1))
        h ^= h >> np.uint32(15)
        h = np.uint32(h * np.uint32(0x85EBCA77))
        h ^= h >> np.uint32(13)
        h = np.uint32(h * np.uint32(0xC2B2AE3D))
        h ^= h >> np.uint32(16)
    return int(h)


@compiled
def places_of(side: int, seed: int, index: int, row: int, tops: Places, lefts: Places) -> None:
    """Choose where in the tile the blocks of block row `row` begin."""
    for n in range(len(tops)):
        bits = hashed(seed, index, row, n)
        tops[n], lefts[n] = (bits & 0xFFFF) % side, (bits >> 16) % side


@compiled
def block_row(tile: Rows, tops: Places, lefts: Places, block: int, seam: int, fade: Rows, inner: int, out: Rows) -> None:
    """Write the grain of one pixel row of a row of blocks; `inner` is the row within them, up to block + seam - 1.

    Neighbours are cross-faded over a seam by weights whose squares sum to 1, so that the variance is the same there. All widths count
    values, not pixels: they are multiples of the planes that lie interleaved.
    """
    width = len(out)
    for n in range(len(tops)):
        first = n * block
        last = min(first + block, width)
        source = tile[tops[n] + inner, lefts[n] : lefts[n] + block + seam]
        start = min(seam, last - first) if n > 0 else 0
        old = out[first : first + start]
        for k in range(start):
            old[k] = fade[k] * source[k] + fade[seam + k] * old[k]
        fresh, piece = out[first + start : last], source[start:]
        for k in range(len(fresh)):
            fresh[k] = piece[k]
        beyond, piece = out[last : min(last + seam, width)], source[block:]
        for k in range(len(beyond)):
            beyond[k] = piece[k]


@compiled
def kept_in(value: float, changed: float) -> Any:
    """Keep a changed value in 0..1 where it was there, and from being pushed further out where it was not."""
    return min(max(changed, min(value, _ZERO)), max(value, _ONE))


@compiled
def add_grain(
    source: Rows, out: Rows, channels: int, tile: Rows, planes: int, side: int, block: int, seam: int, fade: Rows, scales: Rows,
    seed: int, index: int,
) -> None:
    """Add grain to one frame.

    Args:
        source: ``[H,W * channels]``, 1 or 3 channels.
        out: the same shape; may be `source`.
        channels: 1 or 3.
        tile: ``[side + m,(side + m) * planes]``, standard deviation 1.
        planes: 1 (luma) or 3 (luma, Cb and Cr of every pixel side by side; for 3 channels).
        side: period of the tile, px.
        block: side of a block, px.
        seam: cross-faded px.
        fade: ``[2,seam]``, rising weights and their counterparts, the squares of the two summing to 1.
        scales: ``[3,N]``, standard deviation of luma, Cb and Cr grain at luma ``n / (N - 1)``.
        seed: of the frame's blocks, with
        index: its place in the clip.
    """
    height, width = source.shape[0], source.shape[1] // channels
    count = (width + block - 1) // block
    now, before = np.zeros((2, count), np.int64), np.zeros((2, count), np.int64)
    grain, other, luma = np.empty(width * planes, np.float32), np.empty(width * planes, np.float32), np.empty(width, np.float32)
    places = np.empty(width, np.int32)
    wide = np.empty(2 * seam * planes, np.float32)
    for k in range(seam * planes):
        wide[k], wide[seam * planes + k] = fade[0, k // planes], fade[1, k // planes]
    scale, cb_scale, cr_scale = scales[0], scales[1], scales[2]
    top, half = np.float32(scales.shape[1] - 1), np.float32(0.5)
    for y in range(height):
        row, made, inner = source[y], out[y], y % block
        if inner == 0:
            before[:] = now
            places_of(side, seed, index, y // block, now[0], now[1])
            now[1] *= planes
        block_row(tile, now[0], now[1], block * planes, seam * planes, wide, inner, grain)
        if inner < seam and y >= block:
            block_row(tile, before[0], before[1], block * planes, seam * planes, wide, block + inner, other)
            new, old = fade[0, inner], fade[1, inner]
            for x in range(len(grain)):
                grain[x] = new * grain[x] + old * other[x]
        if channels == 1:
            for x in range(width):
                luma[x] = row[x]
        else:
            for x in range(width):
                luma[x] = _R * row[3 * x] + _G * row[3 * x + 1] + _B * row[3 * x + 2]
        for x in range(width):
            places[x] = np.int32(min(max(luma[x], _ZERO), _ONE) * top + half)
        if channels == 1:
            for x in range(width):
                made[x] = kept_in(row[x], row[x] + grain[x] * scale[places[x]])
        elif planes == 1:
            for x in range(width):
                grain[x] *= scale[places[x]]
            for x in range(width):
                d = grain[x]
                made[3 * x] = kept_in(row[3 * x], row[3 * x] + d)
                made[3 * x + 1] = kept_in(row[3 * x + 1], row[3 * x + 1] + d)
                made[3 * x + 2] = kept_in(row[3 * x + 2], row[3 * x + 2] + d)
        else:
            for x in range(width):
                at = places[x]
                d, u, w = grain[3 * x] * scale[at], grain[3 * x + 1] * cb_scale[at], grain[3 * x + 2] * cr_scale[at]
                grain[3 * x] = d + _RED_OF_CR * w
                grain[3 * x + 1] = d + _GREEN_OF_CB * u + _GREEN_OF_CR * w
                grain[3 * x + 2] = d + _BLUE_OF_CB * u
            for x in range(3 * width):
                made[x] = kept_in(row[x], row[x] + grain[x])
