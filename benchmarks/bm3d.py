"""BM3D beside the bm3d package (profile np), scikit-image's non-local means, and itself across frames."""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np
from skimage import data
from skimage.restoration import denoise_nl_means

from talkies.core.measure.image import psnr
from talkies.core.restore.bm3d import torch_engine
from talkies.core.restore.bm3d.denoise import denoise
from talkies.core.restore.bm3d.noise_model import Noise
from talkies.core.restore.bm3d.profile import BALANCED, FAST, QUALITY, Profile

from . import bm3d_noise, bm3d_video, pictures
from .timing import machine, table

Picture = Any
PARTS = ("stills", "large", "video", "memory", "noise")
PROFILES = {profile.name: profile for profile in (FAST, BALANCED, QUALITY)}
_PACKAGE, _MEANS = "bm3d np", "nl_means"


@dataclass(frozen=True)
class Found:
    """What one way made of one noisy picture: PSNR in dB, elapsed and processor seconds."""

    psnr: float
    wall_s: float
    cpu_s: float


def options_from(arguments: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks bm3d", description=__doc__,
        epilog="stills takes 3 minutes on two idle cores, most of it the package's; --sigma 25 alone takes one. The others take less.")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure; default all of it")
    parser.add_argument("--sigma", type=float, nargs="+", default=[15, 25, 50], help="noise of stills, in steps of 255; default 15 25 50")
    parser.add_argument("--repeat", type=int, default=3, help="calls of ours and of non-local means of which the fastest counts; default 3")
    parser.add_argument("--no-package", action="store_true", help="leave out the bm3d package")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--peak", nargs=3, metavar=("FRAMES", "PROFILE", "RADIUS"), help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables, and give their figures."""
    options = options_from(arguments)
    if options.peak:
        peak = {"beyond_clip_bytes": bm3d_video.peak(int(options.peak[0]), options.peak[1], int(options.peak[2]))}
        print(json.dumps(peak))
        return peak
    print(f"BM3D, white noise (seed 0), not clipped; the fastest of {options.repeat}, the package once\n{machine()}\n")
    figures: dict[str, Any] = {"machine": machine()}
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "stills": lambda: _stills(options), "large": lambda: _large(options),
        "video": lambda: bm3d_video.video(options.repeat), "memory": bm3d_video.memory,
        "noise": bm3d_noise.noise,
    }
    for part in options.part:
        figures[part] = measures[part]()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def noisy(picture: Picture, sigma: float) -> Picture:
    """Add white noise, the same at every call."""
    return (picture + np.random.default_rng(0).standard_normal(picture.shape) * sigma / 255).astype(np.float32)


def _ours(profile: Profile, sigma: float) -> Callable[[Picture], Picture]:
    return lambda frame: denoise(frame[None], Noise(sigma), profile)[0]


def _package(sigma: float) -> Callable[[Picture], Picture]:
    import bm3d  # non-commercial: a peer to measure, never needed

    return lambda frame: bm3d.bm3d(frame[..., 0], sigma / 255)[..., None] if frame.shape[2] == 1 else bm3d.bm3d_rgb(frame, sigma / 255)


def _non_local_means(sigma: float) -> Callable[[Picture], Picture]:
    def filtered(frame: Picture) -> Picture:
        made = denoise_nl_means(frame, 5, 6, h=0.8 * sigma / 255, sigma=sigma / 255, fast_mode=True, channel_axis=-1)
        return made.reshape(frame.shape)  # gray loses its axis

    return filtered


def _found(call: Callable[[Picture], Picture], frame: Picture, clean: Picture, repeat: int) -> Found:
    """The PSNR, the fastest elapsed seconds and the fewest processor seconds."""
    seconds = []
    for _ in range(repeat):
        wall, cpu = perf_counter(), process_time()
        made = call(frame)
        seconds.append((perf_counter() - wall, process_time() - cpu))
    return Found(psnr(made, clean), min(s[0] for s in seconds), min(s[1] for s in seconds))


def _rows(shown: dict[str, Picture], sigmas: list[float], repeat: int, *, package: bool) -> dict[str, dict[str, Found]]:
    """Measure every way on every picture and noise: ``{picture and sigma: {way: found}}``."""
    found: dict[str, dict[str, Found]] = {}
    for name, picture in shown.items():
        for sigma in sigmas:
            frame = noisy(picture, sigma)
            ways = {name: _ours(profile, sigma) for name, profile in PROFILES.items()}
            for call in ways.values():
                call(frame[:64, :64])  # compile
            ways[_MEANS] = _non_local_means(sigma)
            here = {way: _found(call, frame, picture, repeat) for way, call in ways.items()}
            if package:
                here[_PACKAGE] = _found(_package(sigma), frame, picture, 1)
            found[f"{name} {sigma:g}"] = here
    rows = [[f"{case} {way}", f"{f.psnr:.3f}", f"{f.wall_s:.3f}", f"{f.cpu_s:.3f}"]
            for case, ways in found.items() for way, f in ways.items()]
    print(table(["picture, sigma, way", "PSNR", "s", "CPU s"], rows) + "\n", flush=True)
    return found


def _stills(options: argparse.Namespace) -> dict[str, Any]:
    shown = {
        "camera": (data.camera() / np.float32(255)).astype(np.float32)[..., None],
        "astronaut": pictures.astronaut(),
        "coffee": (cv2.resize(data.coffee(), (512, 512), interpolation=cv2.INTER_AREA) / np.float32(255)).astype(np.float32),
    }
    found = _rows(shown, options.sigma, options.repeat, package=not options.no_package)
    rows = [] if options.no_package else [_beside(found, profile, _PACKAGE) for profile in PROFILES]
    rows += [_beside({case: ways for case, ways in found.items() if not case.startswith("camera")}, FAST.name, _MEANS)]
    print(table(["ours beside a peer", "PSNR, least", "mean", "CPU s, most", "mean", "s, most", "mean"], rows) + "\n", flush=True)
    return _plain(found)


def _beside(found: dict[str, dict[str, Found]], way: str, peer: str) -> list[str]:
    """How far one way is above a peer in dB, and its times over the peer's, over all pictures and noises."""
    pairs = [(ways[way], ways[peer]) for ways in found.values()]
    above = [a.psnr - b.psnr for a, b in pairs]
    cpu, wall = [a.cpu_s / b.cpu_s for a, b in pairs], [a.wall_s / b.wall_s for a, b in pairs]
    name = f"{way} / {peer}" + ("" if peer == _PACKAGE else ", colour")
    return [name, f"{min(above):+.3f}", f"{mean(above):+.3f}", *(f"{f(times):.4f}x" for times in (cpu, wall) for f in (max, mean))]


def _large(options: argparse.Namespace) -> dict[str, Any]:
    shown = {f"1080p mosaic on {torch_engine.device()}": pictures.mosaic(1920, 1080)}
    return _plain(_rows(shown, [25], min(options.repeat, 2), package=False))


def _plain(found: dict[str, dict[str, Found]]) -> dict[str, Any]:
    return {case: {way: vars(f) for way, f in ways.items()} for case, ways in found.items()}
