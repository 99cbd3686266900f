"""BM3D beside the bm3d package (profile np), scikit-image's non-local means, and itself across frames."""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np
from skimage import data
from skimage.restoration import denoise_nl_means

from talkies.core.measure.image import psnr
from talkies.core.restore.bm3d import torch_engine
from talkies.core.restore.bm3d.denoise import denoise, denoise_frame
from talkies.core.restore.bm3d.noise_model import Noise
from talkies.core.restore.bm3d.profile import BALANCED, FAST, QUALITY, Profile

from . import pictures
from .timing import in_new_process, machine, peak_bytes, table

Picture = Any


def options_from(arguments: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks bm3d", description=__doc__)
    parser.add_argument("--sigma", type=float, nargs="+", default=[15, 25, 50], help="noise, in steps of 255; default 15 25 50")
    parser.add_argument("--repeat", type=int, default=3, help="calls of ours and of non-local means of which the fastest counts; default 3")
    parser.add_argument("--no-package", action="store_true", help="leave out the bm3d package, which takes minutes")
    parser.add_argument("--no-large", action="store_true", help="leave out the 1080p mosaic")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables, and give their figures."""
    options = options_from(arguments)
    if options.peak:
        peak = {"beyond_input_bytes": _peak()}
        print(json.dumps(peak))
        return peak
    print(f"BM3D, white noise (seed 0), not clipped; the fastest of {options.repeat}, the package once\n{machine()}\n")
    figures = {"machine": machine(), "pictures": _pictures(options), "pan": _pan(options)}
    if not options.no_large:
        figures |= {"large": _large(options), "peak": in_new_process(["bm3d", "--peak"])}
        print(f"peak memory at 1080p RGB beyond the input: {figures['peak']['beyond_input_bytes'] / 2**20:.0f} MiB")
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
    return lambda frame: denoise_nl_means(frame, 5, 6, h=0.8 * sigma / 255, sigma=sigma / 255, fast_mode=True, channel_axis=-1)


def _timed(way: Callable[[], Picture], repeat: int) -> tuple[Picture, float, float]:
    """The result, the fastest elapsed seconds and the fewest processor seconds."""
    seconds = []
    for _ in range(repeat):
        wall, cpu = perf_counter(), process_time()
        made = way()
        seconds.append((perf_counter() - wall, process_time() - cpu))
    return made, min(s[0] for s in seconds), min(s[1] for s in seconds)


def _rows(shown: dict[str, Picture], options: argparse.Namespace, sigmas: list[float], package: bool) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    rows = []
    for name, picture in shown.items():
        for sigma in sigmas:
            frame = noisy(picture, sigma)
            ways = {profile.name: _ours(profile, sigma) for profile in (FAST, BALANCED, QUALITY)}
            ways["nl_means"] = _non_local_means(sigma)
            if package:
                ways["bm3d np"] = _package(sigma)
            for way, call in ways.items():
                if way in (FAST.name, BALANCED.name, QUALITY.name):
                    call(frame[:64, :64])  # compile
                made, wall, cpu = _timed(lambda call=call, frame=frame: call(frame), 1 if way == "bm3d np" else options.repeat)
                figures[f"{name} {sigma:g} {way}"] = {"psnr": psnr(made, picture), "wall_s": wall, "cpu_s": cpu}
                rows.append([f"{name} {sigma:g} {way}", f"{psnr(made, picture):.3f}", f"{wall:.3f}", f"{cpu:.3f}"])
    print(table(["picture, sigma, way", "PSNR", "s", "CPU s"], rows) + "\n")
    return figures


def _pictures(options: argparse.Namespace) -> dict[str, Any]:
    shown = {
        "camera": (data.camera() / np.float32(255)).astype(np.float32)[..., None],
        "astronaut": pictures.astronaut(),
        "coffee": (cv2.resize(data.coffee(), (512, 512), interpolation=cv2.INTER_AREA) / np.float32(255)).astype(np.float32),
    }
    return _rows(shown, options, options.sigma, not options.no_package)


def _large(options: argparse.Namespace) -> dict[str, Any]:
    return _rows({f"1080p mosaic on {torch_engine.device()}": pictures.mosaic(1920, 1080)}, options, [25], False)


def _pan(options: argparse.Namespace) -> dict[str, Any]:
    """A window that moves over the portrait, 2.3 by 1.7 px a frame, cubic; the middle frame at sigma 25."""
    portrait = pictures.astronaut()
    clean = np.stack([
        cv2.warpAffine(portrait, np.array([[1, 0, 20 + 2.3 * i], [0, 1, 20 + 1.7 * i]]), (448, 448),
                       flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP) for i in range(9)])
    clip = noisy(clean, 25)
    rows, figures = [], {}
    for profile in (FAST, BALANCED):
        denoise_frame(clip[:3, :64, :64], 1, Noise(25), profile)
        for radius in (0, 1, 2, 4):
            some = clip[4 - radius : 5 + radius]
            made, wall, cpu = _timed(lambda some=some, radius=radius, profile=profile: denoise_frame(some, radius, Noise(25), profile),
                                     options.repeat)
            name = f"pan, {profile.name}, radius {radius}"
            figures[name] = {"psnr": psnr(made, clean[4]), "wall_s": wall, "cpu_s": cpu}
            rows.append([name, f"{psnr(made, clean[4]):.3f}", f"{wall:.3f}", f"{cpu:.3f}"])
    print(table(["clip, way", "PSNR", "s a frame", "CPU s a frame"], rows) + "\n")
    return figures


def _peak() -> int:
    frame = noisy(pictures.mosaic(1920, 1080), 25)
    denoise(frame[None, :64, :64], Noise(25))
    return peak_bytes(lambda: denoise(frame[None], Noise(25)))
