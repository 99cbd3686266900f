"""The same stage in torch, for CUDA, and for any machine on which the compiled kernels cannot run.

Whole tensors at a time: distances by shifted differences and pooling, lists by top-k, groups of one size together by matrix
products. It gives what the compiled engine gives up to rounding; on CUDA sums are added in no fixed order, so the last bits vary.
"""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ...arrays import Frames, as_float32, to_image
from ...progress import Progress, silent
from . import tiling
from .matching import BLOCK
from .noise_model import Noise
from .profile import Stage
from .tiling import Planes, Tables, Tile
from .transforms import pairing_order

_CANDIDATES_AT_ONCE = 64
_VALUES_AT_ONCE = 1 << 24  # of the groups that are transformed together
_OUTSIDE = 1e4  # what lies beyond the frame, so far from any picture that nothing matches it


def device() -> str:
    """Name the device: CUDA where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def run_stage(
    noisy: Planes, pilot: Planes | None, stage: Stage, noise: Noise, target: int, *, small: Frames | None = None,
    progress: Progress = silent,
) -> Planes:
    """Filter the groups of every reference in one frame; arguments and result are those of `stage.run_stage`."""
    where = device()
    channels, frames, height, width = noisy.shape
    looked_up = tiling.tables(stage, noise, channels, wiener=pilot is not None)
    limit = tiling.match_limit(stage, noise, channels)
    blocks = to_image(noisy).to(where)
    guide = None if pilot is None else to_image(pilot).to(where)
    luma = blocks[0] if guide is None else guide[0]
    sums = torch.zeros((channels, frames * height * width), device=where)
    weights = torch.zeros_like(sums)
    todo = tiling.tiles(height, width, stage.step, moving=small is not None) if small is not None else [
        Tile(0, (height - BLOCK) // stage.step + 1, 0, (width - BLOCK) // stage.step + 1)]
    for i, tile in enumerate(todo):
        _, candidates, first = tiling.search(tile, stage, frames, target, small)
        distances, places = _matched(luma, stage, target, tile, candidates, first, limit)
        counts = (distances < limit).sum(dim=1)
        for size, which in _by_size(counts, channels):
            _filter(blocks, guide, places[which, :size], size, looked_up, target, sums, weights)
        progress(i + 1, len(todo))
    sums, weights = sums.reshape(blocks.shape), weights.reshape(blocks.shape)
    made = torch.where(weights > 0, sums / weights.clamp(min=1e-30), blocks)
    return as_float32(np.asarray((made if guide is None else made[:, target : target + 1]).cpu()))


def _matched(luma: torch.Tensor, stage: Stage, target: int, tile: Tile, candidates: NDArray[np.int32], first: int,
             limit: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the sums of squares ``[refs,capacity]``, sorted, and the flat places of the blocks' corners in ``[F,H,W]``."""
    _, height, width = luma.shape
    step, margin = stage.step, int(np.abs(candidates[:, 1:]).max())
    padded = torch.nn.functional.pad(luma, (margin,) * 4, value=_OUTSIDE)
    top, left = step * tile.top, step * tile.left
    rows, columns = step * (tile.bottom - tile.top - 1) + BLOCK, step * (tile.right - tile.left - 1) + BLOCK
    reference = luma[target, top : top + rows, left : left + columns]
    y = torch.arange(top, top + rows - BLOCK + 1, step, device=luma.device)
    x = torch.arange(left, left + columns - BLOCK + 1, step, device=luma.device)
    corner = (y[:, None] * width + x).reshape(1, -1)
    best = torch.full((stage.capacity, corner.shape[1]), torch.inf, device=luma.device)
    where = torch.zeros(best.shape, dtype=torch.int64, device=luma.device)
    closed = torch.zeros(corner.shape[1], dtype=torch.bool, device=luma.device)
    pieces = [part[i : i + _CANDIDATES_AT_ONCE] for part in (candidates[:first], candidates[first:])
              for i in range(0, len(part), _CANDIDATES_AT_ONCE)]
    for number, piece in enumerate(pieces):
        if number == -(-first // _CANDIDATES_AT_ONCE):
            closed = best[tiling.enough(stage) - 1] <= tiling.TIGHT * limit
            if closed.all():
                break
        some = piece.tolist()
        shifted = torch.stack([padded[f, margin + top + dy :][:rows, margin + left + dx :][:, :columns] for f, dy, dx in some])
        squares = (shifted - reference).square_()[:, None]
        found = torch.nn.functional.avg_pool2d(squares, BLOCK, step).reshape(len(some), -1) * BLOCK**2
        found[:, closed] = torch.inf
        offsets = torch.tensor([(f * height + dy) * width + dx for f, dy, dx in some], device=luma.device)[:, None]
        values = torch.cat((best, found))
        best, order = torch.topk(values, stage.capacity, dim=0, largest=False)
        where = torch.cat((where, corner + offsets)).gather(0, order)
    return best.T, where.T


def _by_size(counts: torch.Tensor, channels: int) -> Iterator[tuple[int, torch.Tensor]]:
    """Give the group size and the references that have it, in pieces that fit the memory."""
    sizes = 2 ** torch.floor(torch.log2(counts.clamp(min=1).double())).long()
    for size in (1, 2, 4, 8, 16, 32):
        which = torch.nonzero(sizes == size)[:, 0]
        if len(which):
            for piece in torch.tensor_split(which, -(-len(which) * size * BLOCK**2 * channels // _VALUES_AT_ONCE)):
                yield size, piece


def _filter(blocks: torch.Tensor, guide: torch.Tensor | None, places: torch.Tensor, size: int, looked_up: Tables, target: int,
            sums: torch.Tensor, weights: torch.Tensor) -> None:
    """Filter groups ``[refs,size]`` of one size and add them to the sums ``[C,F*H*W]``."""
    channels, _, height, width = blocks.shape
    inside = torch.arange(BLOCK, device=blocks.device)
    pixels = places[..., None, None] + inside[:, None] * width + inside
    level = size.bit_length() - 1
    basis, back = (to_image(m).to(blocks.device) for m in (looked_up.analysis, looked_up.synthesis))
    # The compiled engine puts block k of a sorted group at place order[k] and halves; that is Haar over neighbours.
    across = to_image(as_float32(_haar_by_halves(size))).to(blocks.device)
    window = to_image(looked_up.window).to(blocks.device)
    mask = torch.outer(window, window)
    for c in range(channels):
        def spectrum(planes: torch.Tensor, channel: int = c) -> torch.Tensor:
            return torch.einsum("kj,njab->nkab", across, basis @ planes[channel].reshape(-1)[pixels] @ basis.T)

        squares, variances = (to_image(t[c, level, : size * BLOCK**2].reshape(size, BLOCK, BLOCK)).to(blocks.device)
                              for t in (looked_up.squares, looked_up.variances))
        noisy = spectrum(blocks)
        if guide is None:
            keep = noisy.square() > squares
            keep[:, 0, 0, 0] = True
            noisy, left = noisy * keep, (variances * keep).sum(dim=(1, 2, 3))
        else:
            power = spectrum(guide).square()
            gain = power / (power + squares)
            noisy, left = noisy * gain, (gain.square() * variances).sum(dim=(1, 2, 3))
        weight = 1 / left.clamp(min=float(variances[0, 0, 0]))
        made = back @ torch.einsum("kj,nkab->njab", across, noisy) @ back.T
        share = (weight[:, None, None, None] * mask).expand_as(made)
        flat, values, shares = pixels.reshape(-1), (made * share).reshape(-1), share.reshape(-1)
        if guide is not None:  # of the neighbours nothing is kept
            own = (places // (height * width) == target)[..., None, None].expand_as(made).reshape(-1)
            flat, values, shares = flat[own], values[own], shares[own]
        sums[c].index_add_(0, flat, values)
        weights[c].index_add_(0, flat, shares)


def _haar_by_halves(size: int) -> NDArray[np.float64]:
    """Give the orthonormal matrix of what `filtering.across` does to a sorted group, ``[size,size]``."""
    matrix = np.eye(size)[np.argsort(pairing_order(size))]
    n = size // 2
    while n:
        low, high = matrix[:n].copy(), matrix[n : 2 * n].copy()
        matrix[:n], matrix[n : 2 * n] = (low + high) / np.sqrt(2), (low - high) / np.sqrt(2)
        n //= 2
    return matrix
