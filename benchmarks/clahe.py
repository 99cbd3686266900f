"""LB-CLAHE beside OpenCV's CLAHE, scikit-image's, and the published node: time, colour, noise, order, steadiness, held-out pictures."""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.color import rgb2lab

from talkies.core.arrays import to_frames
from talkies.core.operation import run
from talkies.core.parallel import for_each_frame
from talkies.core.restore.clahe.lbclahe import LBCLAHE
from talkies.core.restore.clahe.report import clahe_report

from . import clahe_pictures, pictures
from .clahe_published import opencv_float, opencv_node, published_node, scikit_image
from .clahe_quality import Judge, entropy, lightness, noise
from .sharpen import size_of
from .timing import Way, machine, side_by_side, table

_SHADOW = 0.35  # lightness of the picture before, under which noise counts as noise in shadows
_PLACES = 100  # along each side, for LOE as the literature samples it


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables and give their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks clahe", description=__doc__)
    parser.add_argument("--frames", type=int, default=16, help="frames a call; default 16")
    parser.add_argument("--size", type=size_of, default=(1920, 1080), metavar="WxH", help="frame size; default 1920x1080")
    parser.add_argument("--repeat", type=int, default=5, help="calls of which the median counts; default 5")
    parser.add_argument("--variants", type=int, default=12, help="degradations of each held-out picture; default 12")
    parser.add_argument("--part", choices=("speed", "quality", "held-out", "steadiness"), help="one table alone, in under 4 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    print(f"LB-CLAHE\n{machine()}\n")
    parts: dict[str, Callable[[argparse.Namespace], Any]] = {
        "speed": _speed, "quality": lambda _: _quality(), "held-out": _held_out, "steadiness": lambda _: _steadiness()}
    figures = {"machine": machine(), **{name: made(options) for name, made in parts.items() if options.part in (None, name)}}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


# --- speed ---------------------------------------------------------------------------------------------------------------


def _speed(options: argparse.Namespace) -> dict[str, Any]:
    width, height = options.size
    clip = to_frames(pictures.clip(options.frames, width, height))
    out = np.zeros_like(clip)
    ready = LBCLAHE().survey([(0, clip)])
    alone = LBCLAHE(over_time="frame")

    def fill(operation: LBCLAHE) -> None:
        for_each_frame(len(clip), lambda i: operation.frame(clip[i], i, out[i]))

    def both() -> None:
        fill(LBCLAHE().survey([(0, clip)]))

    def opencv_pool() -> None:
        for_each_frame(len(clip), lambda i: np.copyto(out[i], opencv_node(clip[i])))

    def opencv_loop() -> None:
        for i, frame in enumerate(clip):
            out[i] = opencv_node(frame)

    ways = {
        "talkies, a clip: survey and frames": Way(both, len(clip)),
        "talkies, a clip: frames alone": Way(lambda: fill(ready), len(clip)),
        "talkies, every frame alone": Way(lambda: fill(alone), len(clip)),
        "OpenCV 8-bit node path, loop": Way(opencv_loop, len(clip)),
        "OpenCV 8-bit node path, on our pool": Way(opencv_pool, len(clip)),
    }
    timed = side_by_side(ways, options.repeat)
    peer = timed["OpenCV 8-bit node path, loop"]
    print(f"{len(clip)} frames of {width}x{height} RGB float32 into an existing clip, median of {options.repeat}")
    print(table(["way", "ms/frame", "CPU ms/frame", "x OpenCV's time", "x its CPU time"], [
        [name, f"{t.wall_ms:.1f}", f"{t.cpu_ms:.1f}", f"{t.wall_ms / peer.wall_ms:.2f}", f"{t.cpu_ms / peer.cpu_ms:.2f}"]
        for name, t in timed.items()]) + "\n")
    portrait = pictures.astronaut()
    still = LBCLAHE()
    small = side_by_side({
        "talkies": Way(lambda: run(still, portrait), 1), "OpenCV 8-bit node path": Way(lambda: opencv_node(portrait), 1),
        "scikit-image": Way(lambda: scikit_image(portrait), 1)}, options.repeat)
    small |= side_by_side({"published node": Way(lambda: published_node(portrait), 1)}, 1)
    ours = small["talkies"]
    print("One frame of 512x512")
    print(table(["way", "ms", "CPU ms", "x talkies' CPU time"], [
        [name, f"{t.wall_ms:.1f}", f"{t.cpu_ms:.1f}", f"{t.cpu_ms / ours.cpu_ms:.1f}"] for name, t in small.items()]) + "\n")
    return {name: {"wall_ms": t.wall_ms, "cpu_ms": t.cpu_ms} for name, t in [*timed.items(), *((f"512: {n}", t) for n, t in small.items())]}


# --- quality -------------------------------------------------------------------------------------------------------------


def dark_pictures() -> dict[str, Any]:
    """Give the pictures of the quality table: as they are, and dark with noise."""
    rng = np.random.default_rng(0)

    def darkened(picture: Any, share: float, gamma: float, steps: float) -> Any:
        return np.clip(share * picture**gamma + rng.normal(0, steps / 255, picture.shape), 0, 1).astype(np.float32)

    portrait = pictures.astronaut()
    return {
        "portrait": portrait, "portrait, a quarter, noise 2": darkened(portrait, 0.25, 1, 2),
        "cat, gamma 2, noise 3": darkened(clahe_pictures.natural("chelsea"), 0.5, 2, 3),
        "coffee, gamma 2.2, noise 2": darkened(clahe_pictures.natural("coffee"), 1, 2.2, 2),
    }


def lightness_order_error(before: Any, after: Any) -> float:
    """Give LOE as its authors do: reversals of max(R,G,B) on 100x100 places, a place's average over the others."""
    rows, columns = (np.linspace(0, n - 1, _PLACES).astype(int) for n in before.shape[:2])
    p, q = (np.round(np.clip(v, 0, 1).max(-1)[np.ix_(rows, columns)] * 255).ravel() for v in (before, after))
    return sum(int(np.count_nonzero((p >= p[i]) != (q >= q[i]))) for i in range(len(p))) / len(p)


def equal_gain(picture: Any, wanted: float, make: Callable[[float], Any]) -> float:
    """Find the clip limit at which `make` gives a picture whose entropy is `wanted`, by halving."""
    low, high = 1.0, 10.0
    for _ in range(10):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if entropy(lightness(make(middle))) < wanted else (low, middle)
    return (low * high) ** 0.5


def _figures_of(before: Any, after: Any) -> dict[str, float]:
    plane, made = lightness(before), lightness(np.clip(after, 0, 1))
    shadows = plane < _SHADOW
    turned = np.abs(rgb2lab(before) - rgb2lab(np.clip(after, 0, 1)))[..., 1:]
    return {"entropy gain": entropy(made) - entropy(plane), "noise gain": noise(made) / noise(plane),
            "noise gain in shadows": noise(made, shadows) / noise(plane, shadows), "LOE": lightness_order_error(before, after),
            "mean |dab|": float(turned.mean())}


def _quality() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, picture in dark_pictures().items():
        peer = opencv_float(picture)
        wanted = entropy(lightness(peer))

        def ours(clip: float, picture: Any = picture, **settings: Any) -> Any:
            return LBCLAHE(mode="fixed", clip_limit=clip, over_time="frame", **settings)(picture)[0]

        clip = equal_gain(picture, wanted, ours)
        ways = {"OpenCV 2.0, 8x8, float colours": peer, "OpenCV 8-bit node path": opencv_node(picture),
                "scikit-image": scikit_image(picture), f"talkies {clip:.2f}, 8x8: OpenCV's entropy": ours(clip)}
        ways |= {f"talkies 2.0, 8x8, {space}": ours(2.0, space=space) for space in ("lab", "oklab", "hsv", "ycbcr")}
        ways["talkies learned"] = run(LBCLAHE(), picture)[0]
        found = {way: _figures_of(picture, made) for way, made in ways.items()}
        equal = next(f for way, f in found.items() if "OpenCV's entropy" in way)
        base = found["OpenCV 2.0, 8x8, float colours"]
        found["ratios at OpenCV's entropy"] = {key: equal[key] / base[key] for key in base}
        figures[name] = found
        print(table([name, *base], [[way, *(f"{v:.0f}" if key == "LOE" and v > 2 else f"{v:.3f}" for key, v in f.items())]
                                    for way, f in found.items()]) + "\n")
    return figures


# --- held-out pictures ---------------------------------------------------------------------------------------------------


def _held_out(options: argparse.Namespace) -> dict[str, Any]:
    ways: dict[str, Callable[[Any], Any]] = {
        "learned": lambda p: LBCLAHE(over_time="frame")(p)[0],
        "rule_based": lambda p: LBCLAHE(mode="rule_based", over_time="frame")(p)[0],
        "fixed 2.0, 8x8": lambda p: LBCLAHE(mode="fixed", over_time="frame")(p)[0],
        "OpenCV 2.0, 8x8": opencv_float,
    }
    names, qualities, gains = [], {way: [] for way in ways}, {way: [] for way in ways}  # type: ignore[var-annotated]
    for name, picture in clahe_pictures.held_out(variants=options.variants):
        judge = Judge(picture)
        names.append(name)
        for way, make in ways.items():
            found = judge(make(picture))
            qualities[way].append(found.quality)
            gains[way].append((found.entropy, found.contrast, found.noise, found.loe))
    fixed = np.array(qualities["fixed 2.0, 8x8"])
    rows = []
    figures: dict[str, Any] = {"pictures": len(names)}
    for way, values in qualities.items():
        scores, mean = np.array(values), np.mean(gains[way], 0)
        figures[way] = {"quality": float(scores.mean()), "better than fixed": float((scores > fixed).mean()),
                        "gains": [float(v) for v in mean]}
        rows.append([way, f"{scores.mean():.3f}", f"{(scores - fixed).mean():+.3f}", f"{100 * (scores > fixed).mean():.0f} %",
                     *(f"{v:.3f}" for v in mean), f"{mean[3] / mean[0]:.3f}"])
    print(f"{len(names)} held-out pictures, never trained on; quality = entropy / 2 + contrast - noise / 2 - 6 LOE (clahe_quality.py)")
    print(table(["way", "quality", "over fixed", "better than fixed", "entropy", "contrast", "noise", "LOE", "LOE/bit"], rows) + "\n")
    kinds = sorted({name.split(", ", 1)[1] for name in names})
    members = {kind: [i for i, name in enumerate(names) if name.endswith(f", {kind}")] for kind in kinds}
    print(table(["quality by degradation", *ways], [
        [kind, *(f"{np.mean([qualities[way][i] for i in members[kind]]):.3f}" for way in ways)] for kind in kinds]) + "\n")
    return figures


# --- steadiness ----------------------------------------------------------------------------------------------------------


def _steadiness() -> dict[str, Any]:
    portrait = cv2.resize(dark_pictures()["portrait, a quarter, noise 2"], (640, 640), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(3)
    static = np.repeat(portrait[None], 40, 0)
    noisy = np.clip(static + rng.normal(0, 3 / 255, static.shape), 0, 1).astype(np.float32)
    rows, figures = [], {}
    for name, clip in (("one picture, 40 times", static), ("the same, fresh noise", noisy)):
        for over_time in ("shot", "frame"):
            operation = LBCLAHE(over_time=over_time)
            ready = operation.survey([(0, clip)]) if operation.needs_survey else operation
            found = clahe_report(ready, clip, ready(clip)).figures
            keys = ("mapping jitter (255ths)", "brightness flicker before (255ths)", "brightness flicker after (255ths)")
            figures[f"{name}, {over_time}"] = {key: found[key] for key in keys}
            rows.append([f"{name}, over_time {over_time}", *(f"{found[key]:.5f}" for key in keys)])
    print(table(["clip", "mapping jitter", "flicker before", "flicker after"], rows) + "\n(255ths, from frame to frame)\n")
    return figures
