"""The loop of `AddGrain`: one pass over a frame, its grain pieced together row by row from blocks of the tiles.

All in one file, since numba's stored code is renewed when its own file changes and not when one that it calls into does.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled

Rows = NDArray[np.float32]

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
def block_row(tile: Rows, side: int, block: int, seam: int, fade: Rows, seed: int, index: int, row: int, inner: int, out: Rows) -> None:
    """Write the grain of one pixel row from the blocks of block row `row`; `inner` is the row within them, up to block + seam - 1.

    Neighbours are cross-faded over `seam` px by weights whose squares sum to 1, so that the variance is the same there.
    """
    width = len(out)
    for n in range((width + block - 1) // block):
        bits = hashed(seed, index, row, n)
        y, x = (bits & 0xFFFF) % side + inner, (bits >> 16) % side
        first = n * block
        last = min(first + block, width)
        source = tile[y, x : x + block + seam]
        start = 0
        if n > 0:
            start = min(seam, last - first)
            for k in range(start):
                out[first + k] = fade[k] * source[k] + fade[seam - 1 - k] * out[first + k]
        piece = out[first + start : last]
        for k in range(len(piece)):
            piece[k] = source[start + k]
        beyond = out[last : min(last + seam, width)]
        for k in range(len(beyond)):
            beyond[k] = source[block + k]


@compiled
def grain_row(
    tile: Rows, side: int, block: int, seam: int, fade: Rows, seed: int, index: int, y: int, other: Rows, out: Rows
) -> None:
    """Write the grain of pixel row `y`; `other` is scratch as long as `out`."""
    row, inner = y // block, y % block
    block_row(tile, side, block, seam, fade, seed, index, row, inner, out)
    if inner < seam and row > 0:
        block_row(tile, side, block, seam, fade, seed, index, row - 1, block + inner, other)
        new, old = fade[inner], fade[seam - 1 - inner]
        for x in range(len(out)):
            out[x] = new * out[x] + old * other[x]


@compiled
def add_grain(
    source: Rows, out: Rows, channels: int, tiles: Rows, side: int, block: int, seam: int, fade: Rows, scales: Rows, coloured: bool,
    seed: int, index: int,
) -> None:
    """Add grain to one frame.

    Args:
        source: ``[H,W * channels]``, 1 or 3 channels.
        out: the same shape; may be `source`.
        channels: 1 or 3.
        tiles: ``[3,side + m,side + m]``, standard deviation 1.
        side: period of the tiles.
        block: side of a block.
        seam: cross-faded px.
        fade: ``[seam]``, rising weights; their squares and those from the other end sum to 1.
        scales: ``[3,N]``, standard deviation of luma, Cb and Cr grain at luma ``n / (N - 1)``.
        coloured: whether Cb and Cr are added.
        seed: of the frame's blocks, with
        index: its place in the clip.
    """
    height, width = source.shape[0], source.shape[1] // channels
    luma, cb, cr, other = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    places = np.empty(width, np.int32)
    top = np.float32(scales.shape[1] - 1)
    half = np.float32(0.5)
    for y in range(height):
        row, made = source[y], out[y]
        grain_row(tiles[0], side, block, seam, fade, seed, index, y, other, luma)
        if channels == 3:
            for x in range(width):
                value = _R * row[3 * x] + _G * row[3 * x + 1] + _B * row[3 * x + 2]
                places[x] = np.int32(min(max(value, _ZERO), _ONE) * top + half)
        else:
            for x in range(width):
                places[x] = np.int32(min(max(row[x], _ZERO), _ONE) * top + half)
        scale = scales[0]
        for x in range(width):
            luma[x] *= scale[places[x]]
        if channels == 1:
            for x in range(width):
                v = row[x]
                made[x] = min(max(v + luma[x], min(v, _ZERO)), max(v, _ONE))
        elif not coloured:
            for x in range(width):
                d = luma[x]
                for c in range(3):
                    v = row[3 * x + c]
                    made[3 * x + c] = min(max(v + d, min(v, _ZERO)), max(v, _ONE))
        else:
            grain_row(tiles[1], side, block, seam, fade, seed, index, y, other, cb)
            grain_row(tiles[2], side, block, seam, fade, seed, index, y, other, cr)
            cb_scale, cr_scale = scales[1], scales[2]
            for x in range(width):
                cb[x] *= cb_scale[places[x]]
                cr[x] *= cr_scale[places[x]]
            for x in range(width):
                d, u, w = luma[x], cb[x], cr[x]
                v = row[3 * x]
                made[3 * x] = min(max(v + d + _RED_OF_CR * w, min(v, _ZERO)), max(v, _ONE))
                v = row[3 * x + 1]
                made[3 * x + 1] = min(max(v + d + _GREEN_OF_CB * u + _GREEN_OF_CR * w, min(v, _ZERO)), max(v, _ONE))
                v = row[3 * x + 2]
                made[3 * x + 2] = min(max(v + d + _BLUE_OF_CB * u, min(v, _ZERO)), max(v, _ONE))
