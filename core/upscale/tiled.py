"""Frames through an engine: small ones together, large ones by tiles, with less memory at a time when memory runs out."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from ..heap import give_back
from ..progress import Progress, part
from .engine import Engine, Pending, Remembered, Runtime
from .tiles import SMALLEST, Grid, Span, fitting_grid, grid, weights

_log = logging.getLogger(__name__)

Start = Callable[[torch.Tensor], Pending]

REUSE_PIXELS = 128 * 128
"""Tiles are down to this small where unchanged ones are to be reused: the smaller, the more of them stay unchanged."""

REUSE_OVERHEAD = 1.03
"""Pixels computed over those of the usual tiles: what smaller ones may cost where everything moves."""


def upscale(frames: torch.Tensor, out: torch.Tensor, engine: Engine, runtime: Runtime, progress: Progress, tile: int = 0,
            memory: Remembered | None = None) -> None:
    """Upscale every frame.

    Args:
        frames: ``[B,H,W,C]`` float32 on the CPU, C as the engine takes it.
        out: ``[B,H*scale,W*scale,C]`` float32 on the CPU, not yet filled; the result goes here.
        engine: what turns a tile into a larger one.
        runtime: tells which errors mean that memory is full.
        progress: called after every tile, in tiles; may raise to cancel.
        tile: the largest share of a frame that a tile has, px a side; 0 chooses by memory.
        memory: where tiles are remembered, to be reused where the next frame does not differ from this one; None never reuses.

    Raises:
        torch.cuda.OutOfMemoryError, MemoryError, RuntimeError: not even a tile of 32 px fits into memory.
    """
    done = 0
    while done < len(frames):
        try:
            with engine.session() as start:
                for count in _finished(frames[done:], out[done:], engine, start, tile, memory, _from(progress, done, len(frames))):
                    done += count
        except Exception as error:
            smaller = _halved(tile, frames.shape[1], frames.shape[2], engine)
            if not runtime.ran_out(error) or smaller < SMALLEST:
                raise
            tile = smaller
            _log.warning("Super Resolve: memory is full (%s); it goes on with tiles of %d px.", str(error).split("\n")[0], tile)


def _from(progress: Progress, first: int, count: int) -> Progress:
    """Give a progress for the frames from `first` on, in steps of a frame's share."""

    def report(done: int, total: int) -> None:
        per_frame = total // (count - first)
        progress(first * per_frame + done, count * per_frame)

    return report


def _halved(tile: int, height: int, width: int, engine: Engine) -> int:
    """Give half of the longest side that a tile has now."""
    current = _grid(height, width, engine, tile, False)
    longest = max(span.read[1] - span.read[0] for span in (*current.rows, *current.columns))
    return min(longest, tile or longest) // 2


def _grid(height: int, width: int, engine: Engine, tile: int, reuses: bool) -> Grid:
    if tile:
        return grid(height, width, tile, engine.multiple)
    usual = fitting_grid(height, width, engine.most, engine.multiple)
    if reuses:
        return fitting_grid(height, width, min(engine.most, REUSE_PIXELS), engine.multiple, usual.overhead * REUSE_OVERHEAD)
    return usual


def _finished(frames: torch.Tensor, out: torch.Tensor, engine: Engine, start: Start, tile: int, memory: Remembered | None,
              progress: Progress) -> Iterator[int]:
    """Work through the frames, and tell how many more are done each time some are."""
    count, height, width, _ = frames.shape
    tiles = _grid(height, width, engine, tile, memory is not None)
    if memory and next(iter(memory))[:2] != (frames.shape[1:], len(tiles)):
        memory.clear()
    if len(tiles) > 1 or memory is not None:
        for b in range(count):
            _by_tiles(frames[b], out[b], tiles, engine.scale, start, memory, part(progress, b, count))
            yield 1
        return
    together = max(1, engine.most // (height * width)) if tile == 0 and engine.batches else 1
    groups = [slice(first, min(count, first + together)) for first in range(0, count, together)]
    for group, made in _one_ahead(groups, lambda g: start(_planes(frames[g]))):
        out[group] = made.permute(0, 2, 3, 1)
        give_back(height * width)
        progress(group.stop, count)
        yield group.stop - group.start


def _by_tiles(frame: torch.Tensor, out: torch.Tensor, tiles: Grid, scale: int, start: Start, memory: Remembered | None,
              progress: Progress) -> None:
    """Upscale one ``[H,W,C]`` frame tile by tile into `out`; where tiles overlap, their weighted sum is formed in place."""
    out.zero_()

    def begin(place: tuple[Span, Span]) -> Pending:
        row, column = place
        source = frame[row.read[0] : row.read[1], column.read[0] : column.read[1]]
        key = (frame.shape, len(tiles), row.read, column.read)
        if memory is None:
            return start(_planes(source[None]))
        before = memory.get(key)
        if before is not None and torch.equal(before[0], source):
            return Pending(before[1])
        made = start(_planes(source[None])).wait()
        memory[key] = source.clone(), made
        return Pending(made)

    for done, ((row, column), made) in enumerate(_one_ahead(tiles, begin), 1):
        _add(out, made[0].permute(1, 2, 0), row, column, scale)
        give_back(tiles.largest)
        progress(done, len(tiles))


def _add(out: torch.Tensor, made: torch.Tensor, row: Span, column: Span, scale: int) -> None:
    (top, bottom), (left, right) = ((s.write[0] * scale, s.write[1] * scale) for s in (row, column))
    down, across = row.read[0] * scale, column.read[0] * scale
    piece = made[top - down : bottom - down, left - across : right - across]
    if any(row.fade + column.fade):
        share = weights(row, scale, made.device)[:, None, None] * weights(column, scale, made.device)[None, :, None]
        out[top:bottom, left:right].addcmul_(piece, share)
    else:
        out[top:bottom, left:right] = piece


def _one_ahead(jobs: Iterable[Any], begin: Callable[[Any], Pending]) -> Iterator[tuple[Any, torch.Tensor]]:
    """Give each job with its result, while the next one is already begun: a GPU then computes as the CPU puts results away."""
    waiting: tuple[Any, Pending] | None = None
    for job in jobs:
        begun = (job, begin(job))
        if waiting is not None:
            yield waiting[0], waiting[1].wait()
        waiting = begun
        if begun[1].arrived is None:  # computed already, on the CPU: holding it back would only take memory
            yield job, begun[1].wait()
            waiting = None
    if waiting is not None:
        yield waiting[0], waiting[1].wait()


def _planes(frames: torch.Tensor) -> torch.Tensor:
    """Give ``[N,h,w,C]`` as ``[N,C,h,w]``; the same memory, which is what torch calls channels_last."""
    return frames.permute(0, 3, 1, 2)
