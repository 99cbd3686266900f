"""Trains LB-CLAHE's regressor: ``python -m benchmarks.train_clahe``. It writes core/restore/clahe/learned.json.

Data: `clahe_pictures.training`, 300 pictures (13 of scikit-image's and 12 generated, 12 degradations each, seed 59). For each of them the
operation runs over a grid of 8 clip limits by 4 tile counts, and `clahe_quality` judges every result. The perceptron (20 features, 10
units, 2 outputs) then learns to choose where, between the grid's places, the quality is highest: its loss is the quality lost against
the picture's best. Held-out pictures take no part, neither here nor in any choice made here.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch

from talkies.core.restore.clahe import colour, predict
from talkies.core.restore.clahe.features import FEATURES
from talkies.core.restore.clahe.lbclahe import LBCLAHE
from talkies.core.restore.clahe.local import look

from . import clahe_pictures
from .clahe_quality import Judge
from .timing import table

CLIPS = (1.0, 1.5, 2.0, 2.75, 3.75, 5.0, 7.0, 10.0)
TILES = (2, 4, 8, 16)
UNITS = 10
SEED = 59
LOCALITY = 0.6
"""At which the results were judged. 0.25, the default, gives what was learned more quality and turns fewer pairs round."""


def judged(named: tuple[str, Any]) -> tuple[str, Any, Any]:
    """Give a picture's name, its features, and what each clip limit and tile count gives, ``[8,4,4]``: the four gains."""
    name, picture = named
    judge = Judge(picture)
    gains = [[astuple(judge(LBCLAHE(mode="fixed", clip_limit=clip, tiles=tiles, locality=LOCALITY, over_time="frame")(picture)[0]))
              for tiles in TILES] for clip in CLIPS]
    return name, look(colour.samples(picture, colour.LAB, 1)).features(), np.array(gains)


def judged_all(pictures: Iterable[tuple[str, Any]], processes: int) -> tuple[list[str], Any, Any]:
    """Judge many pictures: names, features ``[N,20]``, gains ``[N,8,4,4]``."""
    with ProcessPoolExecutor(processes) as pool:
        names, found, gains = zip(*pool.map(judged, pictures, chunksize=4), strict=True)
    return list(names), np.array(found), np.array(gains)


def quality_at(surface: torch.Tensor, clip: torch.Tensor, tiles: torch.Tensor) -> torch.Tensor:
    """Interpolate a surface ``[N,8,4]`` at log2 clip limits and log2 tiles ``[N]``, linear between the grid's places."""
    grid = torch.log2(torch.tensor(CLIPS))
    i = torch.clamp(torch.searchsorted(grid, clip.detach().contiguous(), right=True) - 1, 0, len(CLIPS) - 2)
    across = (clip - grid[i]) / (grid[i + 1] - grid[i])
    j = torch.clamp(tiles.detach().long() - 1, 0, len(TILES) - 2)
    down = tiles - 1 - j
    rows = torch.arange(len(surface))
    above = surface[rows, i, j] * (1 - down) + surface[rows, i, j + 1] * down
    below = surface[rows, i + 1, j] * (1 - down) + surface[rows, i + 1, j + 1] * down
    return above * (1 - across) + below * across


def fitted(found: Any, surface: Any, steps: int = 1200) -> predict.Regressor:
    """Fit the perceptron to features ``[N,20]`` and qualities ``[N,8,4]``."""
    torch.set_num_threads(1)  # so small a net is slower on more, and the sums keep their order
    torch.manual_seed(SEED)
    centre, scale = found.mean(0), found.std(0) + 1e-6
    inside = torch.clamp(torch.tensor((found - centre) / scale, dtype=torch.float32), -3, 3)
    qualities = torch.tensor(surface, dtype=torch.float32)
    best = qualities.flatten(1).max(1).values
    net = torch.nn.Sequential(torch.nn.Linear(len(FEATURES), UNITS), torch.nn.Tanh(), torch.nn.Linear(UNITS, 2))
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    (low, high), (few, many) = np.log2(predict.CLIP_RANGE), predict.TILE_RANGE
    for _ in range(steps):
        share = torch.sigmoid(net(inside + 0.15 * torch.randn_like(inside)))
        loss = (best - quality_at(qualities, low + share[:, 0] * (high - low), few + share[:, 1] * (many - few))).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    first, _, last = (layer for layer in net)
    return predict.Regressor(centre, scale, *(p.detach().double().numpy() for p in (first.weight.T, first.bias, last.weight.T, last.bias)))


def to_json(made: predict.Regressor) -> str:
    """Write the weights, to 5 digits, with what they were trained on."""
    plain: dict[str, Any] = {"trained by": "python -m benchmarks.train_clahe", "seed": SEED, "features": FEATURES}
    for name in ("centre", "scale", "hidden", "hidden_bias", "output", "output_bias"):
        values = getattr(made, name)
        plain[name] = np.array([float(f"{v:.5g}") for v in values.ravel()]).reshape(values.shape).tolist()
    return json.dumps(plain, separators=(",", ":")).replace('],"', '],\n"') + "\n"


def main() -> None:
    """Judge, fit, write, and say how it does on the pictures it was trained on and, fold by fold, on ones left out of a fit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_clahe", description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cache", type=Path, metavar="FILE.npz", help="keep what was judged there, and take it from there")
    options = parser.parse_args()
    if options.cache and options.cache.exists():
        kept = np.load(options.cache)
        names, found, gains = list(kept["names"]), kept["found"], kept["gains"]
    else:
        names, found, gains = judged_all(clahe_pictures.training(), options.processes)
        if options.cache:
            np.savez(options.cache, names=names, found=found, gains=gains)
    from .clahe_quality import WEIGHTS
    surface, loe = gains @ np.array(WEIGHTS), gains[..., 3]
    made = fitted(found, surface)
    predict.WEIGHTS.write_text(to_json(made), encoding="utf-8")
    subjects = np.array([name.split(",")[0] for name in names])
    left_out, left_out_loe = np.empty(len(names)), np.empty(len(names))
    for fold in range(5):
        outside = np.isin(subjects, np.unique(subjects)[fold::5])
        other = fitted(found[~outside], surface[~outside])
        left_out[outside], left_out_loe[outside] = (values_of(other, found[outside], part[outside]) for part in (surface, loe))
    fixed = (slice(None), CLIPS.index(2.0), TILES.index(8))
    best_fixed = np.unravel_index(surface.mean(0).argmax(), surface.shape[1:])
    each = surface.reshape(len(surface), -1).argmax(1)
    rows = {
        "learned": (values_of(made, found, surface), values_of(made, found, loe)),
        "learned without the picture's own fold": (left_out, left_out_loe), "fixed 2.0, 8x8": (surface[fixed], loe[fixed]),
        "best fixed of the grid": (surface[(slice(None), *best_fixed)], loe[(slice(None), *best_fixed)]),
        "each picture's best of the grid": tuple(v.reshape(len(v), -1)[np.arange(len(v)), each] for v in (surface, loe)),
    }
    print(table(["means over the training pictures", "quality", "LOE"], [
        [name, f"{quality.mean():.3f}", f"{turned.mean():.4f}"] for name, (quality, turned) in rows.items()]))


def values_of(made: predict.Regressor, found: Any, surface: Any) -> Any:
    """Give what the regressor's choices have on a surface ``[N,8,4]``, tiles rounded as the operation rounds them, ``[N]``."""
    chosen = np.array([made(row) for row in found])
    clip, tiles = (torch.tensor(v, dtype=torch.float32) for v in (np.log2(chosen[:, 0]), np.round(chosen[:, 1])))
    return quality_at(torch.tensor(surface, dtype=torch.float32), clip, tiles).numpy()


if __name__ == "__main__":
    main()
