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
_REACH_AMONG_MANY, _REACH_OF_NEIGHBOURS = 6, 4  # px; with neighbour frames there are similar blocks nearer by
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
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Say where the blocks of a tile are looked for.

    Args:
        tile: the references.
        stage: its reach, in the frame of the references; neighbours are searched less far around the tile's motion.
        frames: number of frames.
        target: the frame of the references.
        small: the shrunk frames in which the motion is found; None when there is but one frame.

    Returns:
        ``[F,2]`` motion (dy, dx), and ``[N,3]`` frame, dy, dx of every candidate: the reference first, near before far, the target
        frame before the others.
    """
    if small is None:
        motion, reach = np.zeros((frames, 2), np.int64), stage.reach
    else:
        step = stage.step
        motion = tile_motion(small, target, (tile.top * step, tile.bottom * step, tile.left * step, tile.right * step))
        reach = reach_among(stage, frames)
    parts = []
    for f in sorted(range(frames), key=lambda f: abs(f - target)):
        around = spiral(reach if f == target else min(reach, _REACH_OF_NEIGHBOURS)) + motion[f].astype(np.int32)
        parts.append(np.column_stack((np.full(len(around), f, np.int32), around)))
    return motion, np.concatenate(parts).astype(np.int32)


def reach_among(stage: Stage, frames: int) -> int:
    """Give the reach in the target frame: with neighbour frames there are similar blocks nearer by."""
    return stage.reach if frames == 1 else min(stage.reach, _REACH_AMONG_MANY)
