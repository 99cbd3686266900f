"""Flicker removed, speech kept, and time a frame: motion-compensated blending beside the plain exponential average."""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from talkies.core.measure.image import ssim
from talkies.core.operation import Operation, run
from talkies.core.video.colour import ColorMatch
from talkies.core.video.temporal import TemporalConsistency

from . import ROOT
from .timing import Way, machine, side_by_side, table

sys.path.append(str(ROOT / "tests"))
from talking_scene import articulation, band_energy, talking, variance_along  # the scene of the tests

WAYS: dict[str, Operation] = {
    "talkies motion, 2 neighbours, fine": TemporalConsistency(),
    "talkies motion, 2 neighbours, fast": TemporalConsistency(detail="fast"),
    "talkies motion, 1 neighbour, fine": TemporalConsistency(neighbours=1),
    "talkies motion, 3 neighbours, fine": TemporalConsistency(neighbours=3),
    "EMA, 0.3 of the past": TemporalConsistency(mode="ema", strength=0.3),
    "EMA, 0.6 of the past": TemporalConsistency(mode="ema", strength=0.6),
}
HERTZ = (3.0, 5.0, 8.0)


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables, and give their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks temporal", description=__doc__)
    parser.add_argument("--frames", type=int, default=50, help="frames of each scene; default 50")
    parser.add_argument("--repeat", type=int, default=3, help="calls of which the median counts; default 3")
    parser.add_argument("--size", type=int, default=512, help="side of the square frames that are timed; default 512")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    print(f"TemporalConsistency, {machine()}\n")
    figures = {"quality": _quality(options.frames), "speed": _speed(options.size, options.repeat)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def _quality(count: int) -> dict[str, dict[str, float]]:
    scenes = {hertz: talking(hertz, count) for hertz in HERTZ}
    flickering = {hertz: scene.flickering() for hertz, scene in scenes.items()}
    figures: dict[str, dict[str, float]] = {}
    rows = []
    for name, operation in {"as it came": None, **WAYS}.items():
        found: dict[str, list[float]] = {"flicker left, %": [], "SSIM": []}
        kept = {}
        for hertz, scene in scenes.items():
            seen = flickering[hertz]
            made, clean = (seen, scene.frames) if operation is None else (run(operation, seen), run(operation, scene.frames))
            found["flicker left, %"].append(100 * variance_along(made, scene) / variance_along(seen, scene))
            found["SSIM"].append(float(np.mean([ssim(a, b) for a, b in zip(made[::5], scene.frames[::5], strict=True)])))
            energy = [band_energy(articulation(f), low=hertz, high=hertz) for f in (clean, scene.frames)]
            kept[f"{hertz:g} Hz kept, %"] = 100 * energy[0] / energy[1]
        figures[name] = {key: float(np.mean(values)) for key, values in found.items()} | kept
        rows.append([name, *(f"{v:.3f}" if key == "SSIM" else f"{v:.1f}" for key, v in figures[name].items())])
    print(table(["way", *figures["as it came"]], rows))
    print(f"{len(HERTZ)} scenes of {count} frames of 256x256: a face that sways and opens its mouth at 3, 5 and 8 Hz; flicker fresh in\n"
          "every frame (brightness 3 %, soft blotches of colour 0.03, texture 0.02). Flicker: temporal variance along the known motion.\n"
          "SSIM: to the truth. Kept: energy of the mouth's motion, on the scene without flicker.\n")
    return figures


def _speed(size: int, repeat: int) -> dict[str, float]:
    clip = talking(4.0, 12, size=size).flickering()
    ways = {**WAYS, "talkies ColorMatch, lab": ColorMatch().with_reference(clip[:1]),
            "talkies ColorMatch, histogram": ColorMatch(method="histogram").with_reference(clip[:1])}
    timed = side_by_side({name: Way(lambda op=op: run(op, clip), len(clip)) for name, op in ways.items()}, repeat)
    print(table(["way", "ms/frame", "CPU ms/frame"], [[name, f"{t.wall_ms:.1f}", f"{t.cpu_ms:.1f}"] for name, t in timed.items()]))
    print(f"{len(clip)} frames of {size}x{size} RGB float32, median of {repeat}.")
    return {name: t.wall_ms for name, t in timed.items()}
