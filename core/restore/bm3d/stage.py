"""One stage over one frame and its neighbours, on the compiled kernels: tiles, their groups, and the sum of what they give."""
from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Frames, as_float32
from ...parallel import for_each_frame
from ...progress import Progress, silent
from . import filtering, matching, row_transforms
from .matching import BLOCK
from .noise_model import Noise
from .profile import Stage
from .tiling import TIGHT, Planes, enough, match_limit, reach_among, search, tables, tiles
from .transforms import bior_scales, pairing_order

_log = logging.getLogger(__name__)

def run_stage(
    noisy: Planes, pilot: Planes | None, stage: Stage, noise: Noise, target: int, *,
    small: Frames | None = None, progress: Progress = silent,
) -> Planes:
    """Filter the groups of every reference in one frame.

    Args:
        noisy: ``[C,F,H,W]``, H and W a multiple of `stage.step` above 8.
        pilot: the basic estimate of the same shape; None thresholds.
        stage: what to do.
        noise: what the noise is.
        target: the frame of the references.
        small: the shrunk frames ``[F,h,w]`` in which the motion of every tile is found; None when there is but one frame.
        progress: called as tiles get done.

    Returns:
        The estimates ``[C,F,H,W]`` of all frames when thresholding, ``[C,1,H,W]`` of the target otherwise. Where no block fell in a
        neighbour frame the noisy pixels stand.
    """
    channels, frames, height, width = noisy.shape
    wiener = pilot is not None
    guide = noisy if pilot is None else pilot
    limit = match_limit(stage, noise, channels)
    split = matching.phases(guide[0], stage.step)
    looked_up = tables(stage, noise, channels, wiener=wiener)
    orders = np.zeros((6, 32), np.int64)
    for level in range(6):
        orders[level, : 1 << level] = pairing_order(1 << level)
    kept = [target] if wiener else list(range(frames))
    sums = np.zeros((2, channels, len(kept), height, width), np.float32)
    todo = tiles(height, width, stage.step, moving=small is not None)
    reach = reach_among(stage, frames)
    turn = _InTurn()
    if _is_new(matching.match):
        _log.info("BM3D: compiling its kernels, unless an earlier start kept them")
        progress(0, len(todo))
    scales = as_float32(bior_scales())

    def work(i: int) -> None:
        tile = todo[i]
        motion, candidates, first = search(tile, stage, frames, target, small)
        rows = stage.step * (tile.bottom - tile.top - 1) + BLOCK + 2 * reach
        columns = stage.step * (tile.right - tile.left - 1) + 1 + 2 * reach
        corners = np.array([stage.step * tile.top - reach, stage.step * tile.left - reach]) + motion
        shape = (tile.bottom - tile.top, tile.right - tile.left)
        distances = np.empty((*shape, stage.capacity), np.float32)
        places = np.empty((*shape, stage.capacity), np.int32)
        counts = np.empty(shape, np.int32)
        matching.match(split, stage.step, target, height, width, np.array([tile.top, tile.bottom, tile.left, tile.right]), candidates,
                       first, enough(stage), TIGHT * limit, corners, np.array([rows, columns]), limit, stage.capacity,
                       distances, places, counts)
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
                row_transforms.synthesise(total[c, part], weights[c, part], looked_up.synthesis, looked_up.window, rows, columns,
                                          made[0, c, k], made[1, c, k])
        turn.take(i, lambda: _add(sums, made, corners[kept]))

    for_each_frame(len(todo), work, progress)
    fallback = noisy[:, kept]
    np.divide(sums[0], sums[1], out=fallback, where=sums[1] > 0)
    return fallback


def _is_new(kernel: Any) -> bool:
    """Say whether a kernel has not run yet in this process."""
    return not getattr(kernel, "signatures", True)


class _InTurn:
    """Lets results in by their number, whatever order they get ready in, so that sums do not depend on the threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._waiting: dict[int, Callable[[], None]] = {}

    def take(self, number: int, act: Callable[[], None]) -> None:
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
            row_transforms.analyse(planes[c, f], int(corners[f, 0]), int(corners[f, 1]), basis, rows, columns, part)
    return out


def _add(sums: NDArray[np.float32], made: NDArray[np.float32], corners: NDArray[np.int64]) -> None:
    """Add what a tile made to the sums of the frames, where it lies inside them."""
    height, width = sums.shape[-2:]
    rows, columns = made.shape[-2:]
    for k, (top, left) in enumerate(corners):
        y0, y1, x0, x1 = max(top, 0), min(top + rows, height), max(left, 0), min(left + columns, width)
        if y1 > y0 and x1 > x0:
            sums[:, :, k, y0:y1, x0:x1] += made[:, :, k, y0 - top : y1 - top, x0 - left : x1 - left]
