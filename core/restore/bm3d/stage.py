"""One stage over one frame and its neighbours: tiles, their groups, and the sum of what they give."""
from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import as_float32
from ...parallel import for_each_frame
from ...progress import Progress, silent
from . import filtering, matching
from .matching import BLOCK
from .noise_model import Noise
from .profile import Stage
from .transforms import bior15, bior_scales, dct, kaiser_window, pairing_order

Planes = NDArray[np.float32]
"""``[C,F,H,W]``: channel (luma first), frame, row, column."""

_TILE_ROWS, _TILE_COLUMNS = 48, 576  # px; small enough that what a tile needs stays in the cache, the same for any thread count
_GROUP = 64 * 32


@dataclass(frozen=True)
class Tile:
    """A rectangle of references: first and last + 1 row and column, in steps."""

    top: int
    bottom: int
    left: int
    right: int


def tiles(height: int, width: int, step: int) -> list[Tile]:
    """Cut the references of planes ``height x width`` (multiples of `step` above one block) into tiles of about one size."""
    return [Tile(a, b, c, d) for a, b in _cuts((height - BLOCK) // step + 1, _TILE_ROWS // step)
            for c, d in _cuts((width - BLOCK) // step + 1, _TILE_COLUMNS // step)]


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
    factor = stage.shrinkage if wiener else stage.shrinkage**2
    return Tables(as_float32(basis), as_float32(np.linalg.inv(basis)), filtering.DCT if stage.transform == "dct" else filtering.BIOR,
                  as_float32(factor * variances), as_float32(variances), as_float32(kaiser_window(stage.beta)))


def run_stage(
    noisy: Planes, pilot: Planes | None, stage: Stage, noise: Noise, target: int, *, seeds: Any = None, neighbour_reach: int = 6,
    progress: Progress = silent,
) -> Planes:
    """Filter the groups of every reference in one frame.

    Args:
        noisy: ``[C,F,H,W]``, H and W a multiple of `stage.step` above 8.
        pilot: the basic estimate of the same shape; None thresholds.
        stage: what to do.
        noise: what the noise is.
        target: the frame of the references.
        seeds: gives the motion ``[F,2]`` (dy, dx) from the target to every frame for a tile; None stands still.
        neighbour_reach: px that blocks are looked for around that in the other frames.
        progress: called as tiles get done.

    Returns:
        The estimates ``[C,F,H,W]`` of all frames when thresholding, ``[C,1,H,W]`` of the target otherwise. Where no block fell in a
        neighbour frame the noisy pixels stand.
    """
    channels, frames, height, width = noisy.shape
    wiener = pilot is not None
    guide = noisy if pilot is None else pilot
    luma_variance = (noise.level(chroma=False) / 255) ** 2
    signal = (stage.match_signal / 255) ** 2 * (3 if channels == 3 else 1)  # luma of three channels is that much longer
    limit = BLOCK**2 * (stage.match_noise * luma_variance + signal)
    split = matching.phases(guide[0], stage.step)
    looked_up = tables(stage, noise, channels, wiener=wiener)
    orders = np.zeros((6, 32), np.int64)
    for level in range(6):
        orders[level, : 1 << level] = pairing_order(1 << level)
    kept = [target] if wiener else list(range(frames))
    sums = np.zeros((2, channels, len(kept), height, width), np.float32)
    todo = tiles(height, width, stage.step)
    turn = _InTurn()
    scales = as_float32(bior_scales())

    def work(i: int) -> None:
        tile = todo[i]
        motion = np.zeros((frames, 2), np.int64) if seeds is None else seeds(tile, stage.step)
        rows = stage.step * (tile.bottom - tile.top - 1) + BLOCK + 2 * stage.reach
        columns = stage.step * (tile.right - tile.left - 1) + 1 + 2 * stage.reach
        corners = np.array([stage.step * tile.top - stage.reach, stage.step * tile.left - stage.reach]) + motion
        candidates = _candidates(frames, target, stage.reach, min(neighbour_reach, stage.reach), motion)
        shape = (tile.bottom - tile.top, tile.right - tile.left)
        distances = np.empty((*shape, stage.capacity), np.float32)
        places = np.empty((*shape, stage.capacity), np.int32)
        counts = np.empty(shape, np.int32)
        matching.match(split, stage.step, target, height, width, np.array([tile.top, tile.bottom, tile.left, tile.right]), candidates,
                       corners, np.array([rows, columns]), limit, stage.capacity, distances, places, counts)
        spread = _analysed(noisy, corners, looked_up.analysis, rows, columns)
        spread_pilot = spread[:, :0] if pilot is None else _analysed(pilot, corners, looked_up.analysis, rows, columns)
        area = rows * columns
        low, high = (target * area, (target + 1) * area) if wiener else (0, frames * area)
        total = np.zeros((channels, high - low, BLOCK), np.float32)
        weights = np.zeros((channels, high - low), np.float32)
        filtering.filter_groups(spread, spread_pilot, places.reshape(-1, stage.capacity), counts.reshape(-1), orders, columns, low, high,
                                looked_up.kind, scales, looked_up.squares, looked_up.variances, looked_up.window, wiener, total, weights)
        made = np.empty((2, channels, len(kept), rows, columns + BLOCK - 1), np.float32)
        for c in range(channels):
            for k in range(len(kept)):
                part = slice(k * area, (k + 1) * area)
                filtering.synthesise(total[c, part], weights[c, part], looked_up.synthesis, looked_up.window, rows, columns,
                                     made[0, c, k], made[1, c, k])
        turn.take(i, lambda: _add(sums, made, corners[kept]))

    for_each_frame(len(todo), work, progress)
    fallback = noisy[:, kept]
    np.divide(sums[0], sums[1], out=fallback, where=sums[1] > 0)
    return fallback


class _InTurn:
    """Lets results in by their number, whatever order they get ready in, so that sums do not depend on the threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._waiting: dict[int, Any] = {}

    def take(self, number: int, act: Any) -> None:
        """Run `act` once all before it have run; perhaps later and on another thread."""
        with self._lock:
            self._waiting[number] = act
            while self._next in self._waiting:
                self._waiting.pop(self._next)()
                self._next += 1


def _analysed(planes: Planes, corners: NDArray[np.int64], basis: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    channels, frames = planes.shape[:2]
    out = np.empty((channels, frames * rows * columns, BLOCK), np.float32)
    for c in range(channels):
        for f in range(frames):
            part = out[c, f * rows * columns : (f + 1) * rows * columns]
            filtering.analyse(planes[c, f], int(corners[f, 0]), int(corners[f, 1]), basis, rows, columns, part)
    return out


def _candidates(frames: int, target: int, reach: int, neighbour_reach: int, motion: NDArray[np.int64]) -> NDArray[np.int32]:
    """List where to look, ``[N,3]`` frame, dy, dx: the reference first, the target frame before the others."""
    parts = []
    for f in sorted(range(frames), key=lambda f: abs(f - target)):
        around = spiral(reach if f == target else neighbour_reach) + motion[f].astype(np.int32)
        parts.append(np.column_stack((np.full(len(around), f, np.int32), around)))
    return np.concatenate(parts).astype(np.int32)


def _add(sums: NDArray[np.float32], made: NDArray[np.float32], corners: Sequence[Any] | NDArray[np.int64]) -> None:
    """Add what a tile made to the sums of the frames, where it lies inside them."""
    height, width = sums.shape[-2:]
    rows, columns = made.shape[-2:]
    for k, (top, left) in enumerate(corners):
        y0, y1, x0, x1 = max(top, 0), min(top + rows, height), max(left, 0), min(left + columns, width)
        if y1 > y0 and x1 > x0:
            sums[:, :, k, y0:y1, x0:x1] += made[:, :, k, y0 - top : y1 - top, x0 - left : x1 - left]
