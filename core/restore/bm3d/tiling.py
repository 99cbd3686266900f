"""How a stage is cut into tiles, where each tile looks for blocks, and the tables of its shrinkage: alike for all engines."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frames, as_float32
from . import filtering
from .matching import BLOCK
from .motion import tile_motion
from .noise_model import Noise
from .profile import Stage
from .transforms import bior15, dct, kaiser_window

Planes = NDArray[np.float32]
"""``[C,F,H,W]``: channel (luma first), frame, row, column."""

_TILE_ROWS, _TILE_COLUMNS = 48, 576  # px; small enough that what a tile needs stays in the cache, the same for any thread count
_MOVING_COLUMNS = 288  # px; of a tile that may move as one
_REACH_AMONG_MANY, _APART = 4, 4  # px; with neighbour frames, how far and how densely blocks of the target frame are looked at
_REACH_OF_NEIGHBOURS = 4  # px around the motion of a tile
_REACH_ALONE = 6  # px, densely in the target frame, for references that find too few so
TIGHT = 0.5  # of the greatest distance of a match: what a neighbour frame that shows the same thing is found within
_GROUP = 64 * 32


@dataclass(frozen=True)
class Tile:
    """A rectangle of references: first and last + 1 row and column, in steps."""

    top: int
    bottom: int
    left: int
    right: int


def tiles(height: int, width: int, step: int, *, moving: bool = False) -> list[Tile]:
    """Cut the references of planes ``height x width`` (multiples of `step` above one block) into tiles of about one size.

    Tiles are narrower where they may be `moving` to the neighbour frames.
    """
    columns = _MOVING_COLUMNS if moving else _TILE_COLUMNS
    return [Tile(a, b, c, d) for a, b in _cuts((height - BLOCK) // step + 1, _TILE_ROWS // step)
            for c, d in _cuts((width - BLOCK) // step + 1, columns // step)]


def _cuts(count: int, longest: int) -> Iterator[tuple[int, int]]:
    pieces = -(-count // longest)
    for i in range(pieces):
        yield i * count // pieces, (i + 1) * count // pieces


@cache
def spiral(reach: int) -> NDArray[np.int32]:
    """List all displacements of up to `reach` px along either axis, the nearest first: ``[N,2]`` dy, dx."""
    side = np.arange(-reach, reach + 1)
    dy, dx = (a.ravel() for a in np.meshgrid(side, side, indexing="ij"))
    order = np.lexsort((dx, dy, dy**2 + dx**2))
    return np.stack((dy[order], dx[order]), axis=1).astype(np.int32)


@dataclass(frozen=True)
class Tables:
    """What the kernels of a stage look up: see `filtering.filter_groups`."""

    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]
    kind: int
    squares: NDArray[np.float32]
    variances: NDArray[np.float32]
    window: NDArray[np.float32]


def tables(stage: Stage, noise: Noise, channels: int, *, wiener: bool) -> Tables:
    """Make the tables of a stage for 1 channel (gray) or 3 (luma, two chromas)."""
    basis = dct() if stage.transform == "dct" else bior15()
    variances = np.empty((channels, 6, _GROUP))
    for c in range(channels):
        variances[c] = np.tile(noise.block_variances(basis, chroma=c > 0).ravel(), 32)
    variances = np.maximum(variances, 1e-12)
    shrinkage = np.array([stage.shrinkage] + [stage.chroma_shrinkage] * (channels - 1))[:, None, None]
    factor = shrinkage if wiener else shrinkage**2
    return Tables(as_float32(basis), as_float32(np.linalg.inv(basis)), filtering.DCT if stage.transform == "dct" else filtering.BIOR,
                  as_float32(factor * variances), as_float32(variances), as_float32(kaiser_window(stage.beta)))


def match_limit(stage: Stage, noise: Noise, channels: int) -> float:
    """Give the greatest sum of squared differences of two blocks of luma that match."""
    variance = (noise.level(chroma=False) / 255) ** 2
    signal = (stage.match_signal / 255) ** 2 * (3 if channels == 3 else 1)  # the luma of three channels is that much longer
    return BLOCK**2 * (stage.match_noise * variance + signal)


def search(
    tile: Tile, stage: Stage, frames: int, target: int, small: Frames | None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], int]:
    """Say where the blocks of a tile are looked for.

    Blocks that overlap share their noise, which then does not average away. Where a neighbour frame shows the same thing its blocks
    are better, so in the target frame few are looked at then: those half a block apart. References that find less than `enough` so
    look at all blocks near them as well.

    Args:
        tile: the references.
        stage: its reach, where there are no neighbours.
        frames: number of frames.
        target: the frame of the references.
        small: the shrunk frames in which the motion is found; None when there is but one frame.

    Returns:
        ``[F,2]`` motion (dy, dx); ``[N,3]`` frame, dy, dx of every candidate, the reference first, near before far, the target frame
        before the others; and how many of these are for all references.
    """
    if small is None:
        around = spiral(stage.reach)
        return np.zeros((1, 2), np.int64), _in_frame(target, around), len(around)
    step = stage.step
    motion = tile_motion(small, target, (tile.top * step, tile.bottom * step, tile.left * step, tile.right * step))
    apart = spiral(min(stage.reach, _REACH_AMONG_MANY))
    apart = apart[(apart % _APART == 0).all(axis=1)]
    near = spiral(min(stage.reach, _REACH_OF_NEIGHBOURS))
    others = sorted((f for f in range(frames) if f != target), key=lambda f: abs(f - target))
    parts = [_in_frame(target, apart), *(_in_frame(f, near + motion[f].astype(np.int32)) for f in others)]
    first = sum(map(len, parts))
    dense = spiral(min(stage.reach, _REACH_ALONE))
    parts.append(_in_frame(target, dense[(dense % _APART != 0).any(axis=1)]))
    return motion, np.concatenate(parts), first


def _in_frame(frame: int, places: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.column_stack((np.full(len(places), frame, np.int32), places)).astype(np.int32)


def enough(stage: Stage) -> int:
    """Give how many blocks a reference must find before it looks no closer; see `search`."""
    return stage.capacity // 2


def reach_among(stage: Stage, frames: int) -> int:
    """Give the farthest that blocks are looked for around a tile's place in any frame."""
    return stage.reach if frames == 1 else min(stage.reach, max(_REACH_AMONG_MANY, _REACH_OF_NEIGHBOURS, _REACH_ALONE))
