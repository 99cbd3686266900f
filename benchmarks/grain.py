"""Film grain: what is measured against what was put in, what comes back after removing, and what it costs; wavelet-MAD beside it."""
from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage import data
from skimage.restoration import estimate_sigma

from talkies.core.arrays import to_frames
from talkies.core.measure.image import psnr
from talkies.core.operation import run
from talkies.core.parallel import for_each_frame
from talkies.core.restore.grain.add import AddGrain
from talkies.core.restore.grain.measure import measure_grain
from talkies.core.restore.grain.presets import PRESETS, preset_profile
from talkies.core.restore.grain.remove import RemoveGrain
from talkies.core.restore.grain.table import profile_of_table, read_tables, table_of, write_tables
from talkies.core.restore.grain.template import filtered_template
from talkies.core.restore.noise.measure import measure_colour, measure_noise
from talkies.core.restore.noise.spectrum import radial_spectrum

from . import pictures
from .timing import Way, machine, side_by_side, table

_BLURS = (0.0, 0.7, 1.0, 1.5)
_CLEAN = ("astronaut", "coffee", "chelsea", "rocket", "camera")
_SEEN = 0.05  # share of the flat blocks that a level of luma must hold for its sigma to be judged
_PHOTOGRAPHS = {"astronaut": (0, 100), "coffee": (40, 140), "chelsea": (0, 60), "rocket": (60, 180)}  # and where their 300x320 px begin


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables and give their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks grain", description=__doc__)
    parts = ("estimate", "match", "remove", "clean", "table", "speed")
    parser.add_argument("--part", choices=parts, help="one table alone, in under 4 minutes")
    parser.add_argument("--frames", type=int, default=64, help="frames of 1920x1080 that get grain in a call; default 64")
    parser.add_argument("--repeat", type=int, default=3, help="calls of which the median counts; default 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    print(f"Film grain\n{machine()}\n")
    made_by: dict[str, Callable[[], Any]] = {
        "estimate": _estimate, "match": _match, "remove": _remove, "clean": _clean, "table": _table, "speed": lambda: _speed(options)}
    figures = {"machine": machine(), **{name: made() for name, made in made_by.items() if options.part in (None, name)}}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def _estimate() -> list[dict[str, float | str]]:
    """Measure noise of known strength and blur under a 1080p ramp, the soft portrait and three photographs, one of them nowhere flat."""
    scenes = {
        "ramp 1080p": np.tile(np.linspace(0.2, 0.8, 1920, dtype=np.float32), (1080, 1)),
        "portrait 1080p": cv2.cvtColor(pictures.scaled(1920, 1080), cv2.COLOR_RGB2GRAY) * np.float32(0.7) + np.float32(0.15),
        "camera 512": data.camera().astype(np.float32) / np.float32(255 / 0.7) + np.float32(0.15),
        "rocket 640": cv2.cvtColor(data.rocket(), cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255 / 0.7) + np.float32(0.15),
        "cat 451, fur": cv2.cvtColor(data.chelsea(), cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255 / 0.7) + np.float32(0.15),
    }
    found: list[dict[str, float | str]] = []
    for name, scene in scenes.items():
        for blur in _BLURS:
            noise = np.random.default_rng(1234).standard_normal(scene.shape).astype(np.float32)
            noise = cv2.GaussianBlur(noise, (0, 0), blur) if blur else noise
            noise /= noise.std()
            height, width = scene.shape
            true = np.array([[(noise[: height - 3, 3 : width - 3] * noise[y : height - 3 + y, 3 + x : width - 3 + x]).mean()
                              for x in range(-3, 4)] for y in range(4)])
            for steps in (5, 10, 25):
                noisy = scene + noise * np.float32(steps / 255)
                measured = measure_noise([noisy])
                seen = np.array(measured.counts) >= _SEEN * measured.blocks
                curve = 100 * (255 * np.array(measured.sigmas)[seen] / steps - 1)
                found.append({"scene": name, "sigma": steps, "blur": blur, "error_percent": 100 * (255 * measured.sigma / steps - 1),
                              "curve_percent": float(abs(curve).max()),
                              "wavelet_percent": 100 * (255 * float(estimate_sigma(noisy)) / steps - 1),
                              "acf_error": float(abs(np.array(measured.lags)[:4, 5:12] - true).max())})
    rows = [[str(f["scene"]), *(f"{f[k]:g}" for k in ("sigma", "blur")), f"{f['error_percent']:+.1f}", f"{f['curve_percent']:.1f}",
             f"{f['wavelet_percent']:+.1f}", f"{f['acf_error']:.3f}"] for f in found]
    print(table(["noise under", "sigma", "blur (px)", "sigma (%)", "sigma(luma) (%)", "wavelet-MAD (%)", "ACF, lags 1-3"], rows))
    print("sigma(luma) and ACF: the largest error; of luma over the levels that hold 5 % of the flat blocks.")
    flat = [f for f in found if "fur" not in str(f["scene"])]
    for title, chosen in (("white", [f for f in flat if f["blur"] == 0]), ("correlated", [f for f in flat if f["blur"] != 0])):
        worst = {key: max(abs(float(f[key])) for f in chosen) for key in ("error_percent", "curve_percent", "acf_error")}
        print(f"worst of {title} noise, fur aside: sigma {worst['error_percent']:.1f} %, sigma(luma) {worst['curve_percent']:.1f} %, "
              f"ACF {worst['acf_error']:.3f}")
    print()
    return found


def _match() -> list[dict[str, float | str]]:
    """Put grain on a soft portrait, take it out, put it back by match: what comes back."""
    base = pictures.scaled(960, 540)[None].repeat(2, axis=0) * np.float32(0.7) + np.float32(0.15)
    found: list[dict[str, float | str]] = []
    for preset in PRESETS:
        grainy = run(AddGrain(preset=preset, fixed_size=True, seed=3), base)
        before = measure_grain([(0, grainy)])
        for method in ("fast", "bm3d"):
            started = time.process_time()
            clean = run(RemoveGrain(method=method, texture=0, profile=before), grainy)
            seconds = (time.process_time() - started) / len(base)
            back = run(AddGrain(fill_up=True, profile=before), clean)
            after = measure_grain([(0, back)])
            rings = radial_spectrum(before.lags)
            strong = rings > 0.01 * rings.max()
            change = 10 * np.log10(radial_spectrum(after.lags) / rings)[strong]
            level = np.array(before.sigmas) > 0
            sigma = 100 * (np.mean(np.array(after.sigmas)[level]) / np.mean(np.array(before.sigmas)[level]) - 1)
            found.append({"preset": preset, "method": method, "kind": before.kind, "grainy_db": psnr(grainy, base),
                          "clean_db": psnr(clean, base),
                          "seconds": seconds, "sigma_percent": float(sigma), "psd_db": float(abs(change).max())})
    rows = [[f"{f['preset']}, {f['method']}", str(f["kind"]), f"{f['grainy_db']:.1f}", f"{f['clean_db']:.1f}", f"{f['seconds']:.2f}",
             f"{f['sigma_percent']:+.1f}", f"{f['psd_db']:.2f}"] for f in found]
    heads = ["removed, then matched (960x540)", "kind", "grainy (dB)", "cleaned (dB)", "CPU s/frame", "sigma (%)", "PSD (dB)"]
    print(table(heads, rows) + "\nPSD: the largest change, over rings within 20 dB of the strongest.\n")
    return found


def _remove() -> list[dict[str, float | str]]:
    """Take known grain off photographs by both methods: how near to the clean picture, and how much of the grain is left."""
    found: list[dict[str, float | str]] = []
    for preset in PRESETS:
        grain = replace(preset_profile(preset), height=0)
        sums: dict[str, list[list[float]]] = {"fast": [], "bm3d": []}
        grainy_db = []
        for name, (top, left) in _PHOTOGRAPHS.items():
            base = to_frames(np.ascontiguousarray(getattr(data, name)()[None, top : top + 300, left : left + 320])) * np.float32(0.7)
            base += np.float32(0.15)
            grainy = AddGrain(profile=grain, seed=3)(base)
            noise = grainy - base
            grainy_db.append(psnr(grainy, base))
            for method, kept in sums.items():
                started = time.process_time()
                clean = RemoveGrain(method=method, texture=0, adaptive=False, profile=grain)(grainy)
                left_over = float(((clean - base) * noise).sum() / (noise * noise).sum())
                kept.append([psnr(clean, base), 100 * left_over, time.process_time() - started])
        for method, kept in sums.items():
            decibels, left_over, seconds = np.mean(kept, axis=0)
            found.append({"preset": preset, "method": method, "grainy_db": float(np.mean(grainy_db)), "clean_db": float(decibels),
                          "left_percent": float(left_over), "seconds": float(seconds)})
    rows = [[f"{f['preset']}, {f['method']}", f"{f['grainy_db']:.2f}", f"{f['clean_db']:.2f}", f"{f['left_percent']:.0f}",
             f"{f['seconds']:.2f}"] for f in found]
    heads = [f"known grain off {len(_PHOTOGRAPHS)} photographs, 300x320", "grainy (dB)", "cleaned (dB)", "grain left (%)", "CPU s"]
    print(table(heads, rows))
    print("grain left: what of the grain's amplitude is still in the picture.\n")
    return found


def _clean() -> dict[str, float]:
    """Send clean photographs through the adaptive removal."""
    found = {}
    for name in _CLEAN:
        picture = to_frames(getattr(data, name)()[None] if name != "camera" else data.camera()[None, ..., None])
        found[name] = float(psnr(run(RemoveGrain(), picture), picture))
    print(table(["clean picture through adaptive removal", "PSNR (dB)"], [[name, f"{db:.1f}"] for name, db in found.items()]) + "\n")
    return found


def _table() -> list[dict[str, float | str]]:
    """Write every preset as an AV1 table and read it back: what a table says, and what the templates of 100 seeds are."""
    found: list[dict[str, float | str]] = []
    for preset in PRESETS:
        grain = preset_profile(preset)
        made = read_tables(write_tables([table_of(grain)]))[0]
        wanted, back = np.array(grain.lags)[:4, 5:12], np.array(profile_of_table(made).lags)[:4, 5:12]
        parts = [filtered_template(made.coeffs_y, made.ar_lag, made.ar_shift, seed, made.scale_shift) for seed in range(1, 60000, 600)]
        stack = np.array(parts, np.float64)[:, 9:, 9:76]
        height, width = stack.shape[1:]
        own = np.array([[(stack[:, : height - y, 3 : width - 3] * stack[:, y:, 3 + x : width - 3 + x]).mean() for x in range(-3, 4)]
                        for y in range(4)])
        found.append({"preset": preset, "table": float(abs(back - wanted).max()), "template": float(abs(own / own[0, 3] - wanted).max())})
    print(table(["out to an AV1 table and back: ACF, lags 1-3", "by the table", "of its templates"],
                [[str(f["preset"]), f"{f['table']:.3f}", f"{f['template']:.3f}"] for f in found]) + "\n")
    return found


def _speed(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Time measuring and adding at 1080p."""
    frame = run(AddGrain(), pictures.scaled(1920, 1080)[None])
    clip = np.repeat(frame, options.frames, axis=0)
    out = np.zeros_like(clip)
    random = np.random.Generator(np.random.SFC64(1))

    def naive(i: int) -> None:
        np.clip(clip[i] + random.standard_normal((1080, 1920, 1), np.float32) * np.float32(0.02), 0, 1, out=out[i])

    def fills(operation: AddGrain) -> Callable[[], object]:
        return lambda: for_each_frame(len(clip), lambda i: operation.frame(clip[i], i, out[i]))

    few = min(options.frames, 8)
    ways = {
        "measure a frame": Way(lambda: measure_colour(frame), 1),
        "add 35mm, colour": Way(fills(AddGrain()), len(clip)),
        "add 35mm, black-and-white": Way(fills(AddGrain(chroma=0)), len(clip)),
        "add 35mm, new clip": Way(lambda: AddGrain()(clip), len(clip)),
        "NumPy: white gray noise, add, clip": Way(lambda: [naive(i) for i in range(few)], few),
        "copy": Way(lambda: for_each_frame(len(clip), lambda i: np.copyto(out[i], clip[i])), len(clip)),
    }
    timed = side_by_side(ways, options.repeat)
    print(table([f"1920x1080 RGB, {options.frames} frames", "ms/frame", "CPU ms/frame"],
                [[name, f"{t.wall_ms:.1f}", f"{t.cpu_ms:.1f}"] for name, t in timed.items()]))
    return {name: {"wall_ms": t.wall_ms, "cpu_ms": t.cpu_ms} for name, t in timed.items()}
