"""Cutting a large picture into overlapping tiles of one size, and laying them back with a fade from one to the next."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...arrays import Frame


@dataclass(frozen=True)
class Tile:
    """One tile, px of the source: rows ``top`` to ``bottom``, columns ``left`` to ``right``, the ends not included."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, frame: Frame) -> Frame:
        """Give the tile's part of ``[H,W,...]``, as a view."""
        return frame[self.top : self.bottom, self.left : self.right]


def tiles(height: int, width: int, longest: int, overlap: int) -> tuple[Tile, ...]:
    """Cover a picture with tiles of one size, no side longer than `longest`, each overlapping its neighbours by `overlap` px or more."""
    rows, columns = (_starts(side, longest, overlap) for side in (height, width))
    tall, wide = (min(side, longest) for side in (height, width))
    return tuple(Tile(top, top + tall, left, left + wide) for top in rows for left in columns)


def _starts(side: int, longest: int, overlap: int) -> list[int]:
    if side <= longest:
        return [0]
    overlap = min(overlap, longest // 2)
    count = math.ceil((side - overlap) / (longest - overlap))
    return [round(i * (side - longest) / (count - 1)) for i in range(count)]


class Mosaic:
    """Puts fitted tiles together into ``[H,W,C]``, the source's size times a factor."""

    def __init__(self, height: int, width: int, channels: int, factor: int, overlap: int) -> None:
        """Start with nothing laid."""
        self._size, self._factor, self._overlap = (height, width), factor, max(1, overlap)
        self._sum = np.zeros((height * factor, width * factor, channels), np.float32)
        self._weight = np.zeros((height * factor, width * factor, 1), np.float32)

    def lay(self, tile: Tile, made: Frame) -> None:
        """Lay one tile ``[h*factor,w*factor,C]``; towards a neighbour it fades out over the overlap."""
        rows = self._share(tile.top, tile.bottom, self._size[0])
        share = rows[:, None, None] * self._share(tile.left, tile.right, self._size[1])[None, :, None]
        f = self._factor
        place = slice(tile.top * f, tile.bottom * f), slice(tile.left * f, tile.right * f)
        self._sum[place] += share * made
        self._weight[place] += share

    def _share(self, start: int, stop: int, side: int) -> Frame:
        length = (stop - start) * self._factor
        fade = min(self._overlap * self._factor, length)
        share = np.ones(length, np.float32)
        ramp = (np.arange(fade, dtype=np.float32) + 0.5) / fade
        if start > 0:
            share[:fade] *= ramp
        if stop < side:
            share[-fade:] *= ramp[::-1]
        return share

    def picture(self) -> Frame:
        """Give the whole."""
        return np.divide(self._sum, self._weight, out=self._sum)
