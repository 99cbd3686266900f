"""Cutting a frame into tiles that divide it, with an overlap that is feathered away when they are put together."""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch

MARGIN = 8
"""Pixels that a tile is read beyond its share of the frame, on each side that is not the frame's own edge."""

FEATHER = 4
"""Pixels on each side of a cut over which one tile fades into the next. What lies further out is read but not used: the network
sees zeros beyond a tile's edge, and its outermost pixels suffer from that the most."""

OVERHEAD = 1.075
"""Pixels computed over pixels of the frame: tiles are not made smaller than this allows, unless memory forces them to be."""

SMALLEST = 32
"""The least a tile is halved to, px."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in px of the source: what is read, what is written, and how wide it fades at either end."""

    read: tuple[int, int]
    write: tuple[int, int]
    fade: tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """The tiles of a frame: every pair of a row span and a column span."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[tuple[Span, Span]]:
        return ((row, column) for row in self.rows for column in self.columns)

    @property
    def overhead(self) -> float:
        """Give the pixels that are computed over the pixels of the frame."""
        return _read(self.rows) * _read(self.columns) / (self.rows[-1].write[1] * self.columns[-1].write[1])

    @property
    def largest(self) -> int:
        """Give the pixels of the largest tile as it is read."""
        return max(s.read[1] - s.read[0] for s in self.rows) * max(s.read[1] - s.read[0] for s in self.columns)


def _read(spans: tuple[Span, ...]) -> int:
    return sum(s.read[1] - s.read[0] for s in spans)


def spans(length: int, count: int, multiple: int = 1) -> tuple[Span, ...]:
    """Divide `length` px into `count` equal shares (fewer, where they would get narrower than the overlap), cut at multiples of `multiple`.

    Reads start and end at multiples as well, so that a network which works on blocks of pixels sees the same blocks in a tile as in the
    whole frame.
    """
    count = max(1, min(count, length // max(2 * MARGIN, multiple)))
    cuts = sorted({round(i * length / count / multiple) * multiple for i in range(1, count)} - {0})
    edges = [0, *(c for c in cuts if c < length), length]
    margin = math.ceil(MARGIN / multiple) * multiple
    found = []
    for start, stop in pairwise(edges):
        before, after = start > 0, stop < length
        found.append(Span(
            read=(max(0, start - margin), min(length, stop + margin)),
            write=(start - FEATHER * before, stop + FEATHER * after),
            fade=(2 * FEATHER * before, 2 * FEATHER * after),
        ))
    return tuple(found)


def grid(height: int, width: int, tile: int, multiple: int = 1) -> Grid:
    """Divide a frame so that no tile's share is larger than `tile` px a side."""
    return Grid(spans(height, math.ceil(height / tile), multiple), spans(width, math.ceil(width / tile), multiple))


def fitting_grid(height: int, width: int, most: int, multiple: int = 1, overhead: float = OVERHEAD) -> Grid:
    """Choose the grid that computes the fewest pixels, among those whose tiles, as read, have at most `most` px.

    Where only a grid that costs more than `overhead` has such small tiles, the one with the smallest tiles within `overhead` is taken.
    """
    shortest = 4 * MARGIN
    grids = [Grid(spans(height, rows, multiple), spans(width, columns, multiple))
             for rows in range(1, max(1, height // shortest) + 1) for columns in range(1, max(1, width // shortest) + 1)
             if rows * columns == 1 or (1 + 2 * MARGIN * (rows - 1) / height) * (1 + 2 * MARGIN * (columns - 1) / width) <= overhead]
    fitting = [g for g in grids if g.largest <= most and (len(g) == 1 or g.overhead <= overhead)]
    if fitting:
        return min(fitting, key=lambda g: (g.overhead, g.largest))
    return min((g for g in grids if len(g) == 1 or g.overhead <= overhead), key=lambda g: (g.largest, g.overhead))


def weights(span: Span, scale: int, device: torch.device) -> torch.Tensor:
    """Give the share of a tile along one axis of what it writes: 1, with a linear ramp at either end; two neighbours add up to 1.

    Returns:
        ``[(write stop - write start) * scale]``, float32.
    """
    before, after = (width * scale for width in span.fade)
    share = torch.ones((span.write[1] - span.write[0]) * scale, device=device)
    share[:before] = _ramp(before, device)
    if after:
        share[-after:] = 1 - _ramp(after, device)
    return share


def _ramp(width: int, device: torch.device) -> torch.Tensor:
    return (torch.arange(width, device=device) + 0.5) / max(width, 1)
