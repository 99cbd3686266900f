"""Sharpen beside kornia's unsharp mask, a depthwise convolution as ComfyUI's ImageSharpen does it, an OpenCV loop, and a copy."""
from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import kornia
import numpy as np
import torch
from skimage.metrics import structural_similarity

from talkies.core.arrays import empty_frames, to_frames, to_image
from talkies.core.measure.image import psnr
from talkies.core.operation import run
from talkies.core.parallel import for_each_frame
from talkies.core.restore.sharpen import Sharpen

from . import pictures
from .timing import Way, in_new_process, machine, peak_bytes, side_by_side, table

MODES = ("detail", "unsharp", "kernel", "adaptive")
_PEER_FRAMES = 8
_RADIUS = 3


def size_of(text: str) -> tuple[int, int]:
    """Read ``WIDTHxHEIGHT``."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or "0" in match.groups():
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write e.g. 1920x1080")
    return int(match[1]), int(match[2])


def options_from(arguments: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sharpen", description=__doc__)
    parser.add_argument("--frames", type=int, default=64, help="frames a call; default 64")
    parser.add_argument("--size", type=size_of, default=(1920, 1080), metavar="WxH", help="frame size; default 1920x1080")
    parser.add_argument("--repeat", type=int, default=5, help="calls of which the median counts; default 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--peer-frames", type=int, default=_PEER_FRAMES,
                        help=f"most frames a call for peers that need memory for the whole batch; default {_PEER_FRAMES}")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory, which takes a process a mode")
    parser.add_argument("--peak-of", choices=MODES, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables of speed, memory and quality, and give their figures."""
    options = options_from(arguments)
    width, height = options.size
    if options.peak_of:
        peak = {"beyond_output_bytes": _beyond_output(options.peak_of, options.frames, width, height)}
        print(json.dumps(peak))
        return peak
    print(f"Sharpen, {options.frames} frames of {width}x{height} RGB float32, median of {options.repeat}\n{machine()}\n")
    speed = _speed(options)
    memory = {} if options.no_memory else _memory(options)
    quality = _quality(width, height)
    figures = {"machine": machine(), "frames": options.frames, "size": [width, height],
               "speed": speed, "memory": memory, "quality": quality}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


# --- speed ---------------------------------------------------------------------------------------------------------------


def _speed(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    width, height = options.size
    clip = to_frames(pictures.clip(options.frames, width, height))
    out = np.zeros_like(clip)
    some, some_out = clip[: options.peer_frames], out[: options.peer_frames]
    ways = {f"talkies {mode}": Way(_fills(Sharpen(mode=mode), clip, out), len(clip)) for mode in MODES}
    ways["OpenCV loop, unsharp"] = Way(lambda: cv2_loop(clip, out=out), len(clip))
    ways["kornia unsharp_mask, a frame a call"] = Way(lambda: kornia_unsharp(some, 1, out=some_out), len(some))
    ways["kornia unsharp_mask, the batch"] = Way(lambda: kornia_unsharp(some, len(some), out=some_out), len(some))
    ways["depthwise convolution, the batch"] = Way(lambda: depthwise_sharpen(some), len(some))
    ways["copy"] = Way(lambda: _copied(clip, out), len(clip))
    ways["talkies unsharp, new clip"] = Way(lambda: run(Sharpen(mode="unsharp"), clip), len(clip))
    ways["talkies detail, new clip"] = Way(lambda: run(Sharpen(), clip), len(clip))
    ways["copy, new clip"] = Way(lambda: _copied(clip, empty_frames(*clip.shape)), len(clip))
    timed = side_by_side(ways, options.repeat)
    floor, unsharp = timed["copy"].wall_ms, timed["talkies unsharp"].wall_ms
    rows = [[name, *(f"{n:.2f}" for n in (t.wall_ms, t.cpu_ms)), *(f"{t.wall_ms / n:.1f}" for n in (floor, unsharp))]
            for name, t in timed.items()]
    print(table(["way", "ms/frame", "CPU ms/frame", "x copy", "x talkies unsharp"], rows))
    print(f"All write into an existing clip, except where it says new and the convolution; what new memory costs varies from\n"
          f"run to run. Peers that need memory for the whole batch get {len(some)} frames a call. The copy uses as many threads.\n")
    return {name: {"wall_ms": t.wall_ms, "cpu_ms": t.cpu_ms} for name, t in timed.items()}


def _fills(operation: Sharpen, clip: Any, out: Any) -> Callable[[], object]:
    return lambda: for_each_frame(len(clip), lambda i: operation.frame(clip[i], i, out[i]))


def _copied(clip: Any, out: Any) -> None:
    for_each_frame(len(clip), lambda i: np.copyto(out[i], clip[i]))


def cv2_loop(clip: Any, amount: float = 1.0, out: Any = None) -> Any:
    """Unsharp masking as one writes it with OpenCV, frame after frame, with OpenCV's own threads."""
    out = np.empty_like(clip) if out is None else out
    for i, frame in enumerate(clip):
        blurred = cv2.GaussianBlur(frame, (2 * _RADIUS + 1, 2 * _RADIUS + 1), 1.0)
        cv2.addWeighted(frame, 1 + amount, blurred, -amount, 0, dst=out[i])
        np.clip(out[i], 0, 1, out=out[i])
    return out


def kornia_unsharp(clip: Any, chunk: int, out: Any = None) -> Any:
    """Kornia's unsharp mask (amount 1) on a channels-last clip."""
    images = to_image(clip)
    made_images = to_image(np.empty_like(clip) if out is None else out)
    for first in range(0, len(images), chunk):
        planes = images[first : first + chunk].permute(0, 3, 1, 2)
        made = kornia.filters.unsharp_mask(planes, (2 * _RADIUS + 1, 2 * _RADIUS + 1), (1.0, 1.0))
        torch.clamp(made.permute(0, 2, 3, 1), 0, 1, out=made_images[first : first + chunk])
    return to_frames(made_images)


def depthwise_sharpen(clip: Any, amount: float = 1.0) -> Any:
    """One sharpening kernel as a depthwise convolution over the whole batch, the way ComfyUI's ImageSharpen works."""
    images = to_image(clip).permute(0, 3, 1, 2)
    channels = images.shape[1]
    places = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float32)
    line = torch.exp(-(places**2) / 2)
    kernel = -amount * torch.outer(line, line) / line.sum() ** 2
    kernel[_RADIUS, _RADIUS] += 1 + amount
    padded = torch.nn.functional.pad(images, (_RADIUS,) * 4, mode="reflect")
    made = torch.nn.functional.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)
    return to_frames(made.permute(0, 2, 3, 1).clamp(0, 1))


# --- memory --------------------------------------------------------------------------------------------------------------


def _memory(options: argparse.Namespace) -> dict[str, float]:
    width, height = options.size
    beyond = {}
    for mode in MODES:
        arguments = ["sharpen", "--frames", str(options.frames), "--size", f"{width}x{height}", "--peak-of", mode]
        beyond[mode] = in_new_process(arguments)["beyond_output_bytes"]
    print(table(["mode", "peak memory beyond the output, MB"], [[mode, f"{size / 1e6:.0f}"] for mode, size in beyond.items()]) + "\n")
    return beyond


def _beyond_output(mode: str, frames: int, width: int, height: int) -> int:
    clip = to_frames(pictures.clip(frames, width, height))
    operation = Sharpen(mode=mode)
    run(operation, clip[:1, :16, :16])  # compile
    return peak_bytes(lambda: run(operation, clip)) - clip.nbytes


# --- quality -------------------------------------------------------------------------------------------------------------


def cv2_luma(frame: Any) -> Any:
    """Unsharp masking (amount 1) of the luma alone, with OpenCV."""
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.clip(frame + (luma - cv2.GaussianBlur(luma, (0, 0), 1.0))[..., None], 0, 1)


def _quality(width: int, height: int) -> dict[str, dict[str, float]]:
    sharpeners: dict[str, Callable[[Any], Any]] = {"input": lambda f: f}
    sharpeners |= {f"talkies {mode}": lambda f, mode=mode: run(Sharpen(mode=mode), f)[0] for mode in MODES}
    sharpeners |= {
        "OpenCV unsharp, amount 1": lambda f: cv2_loop(f[None])[0],
        "OpenCV unsharp of the luma, amount 1": cv2_luma,
        "kornia unsharp_mask": lambda f: kornia_unsharp(f[None], 1)[0],
    }
    sharp = {"512": pictures.astronaut(), "scaled": pictures.scaled(width, height), "mosaic": pictures.mosaic(width, height)}
    blurred = {name: pictures.degraded(picture) for name, picture in sharp.items()}
    rows, figures = [], {}
    for name, sharpen in sharpeners.items():
        found: dict[str, float] = {}
        for picture, reference in sharp.items():
            made = sharpen(blurred[picture])
            found[f"PSNR {picture}"] = psnr(made, reference)
            found[f"SSIM {picture}"] = float(structural_similarity(made, reference, data_range=1, channel_axis=-1))
        found |= {"halo": halo(sharpen), "noise gain": noise_gain(sharpen)}
        figures[name] = found
        rows.append([name, *(f"{found[key]:.3f}" if "PSNR" not in key else f"{found[key]:.2f}" for key in found)])
    print(table(["default settings", *figures["input"]], rows))
    print(f"Pictures blurred by a Gaussian of 1 px, white noise of 1.5 steps of 255 added. 512: astronaut; scaled: astronaut at\n"
          f"{width}x{height} (Lanczos); mosaic: photographs at their own resolution. Halo: overshoot at a hard edge from 0.2 to 0.8.\n"
          "Noise gain: spread of flat gray noise after over before. SSIM: scikit-image's default, 7x7.")
    return figures


def halo(sharpen: Callable[[Any], Any]) -> float:
    """Give how far a hard edge from 0.2 to 0.8 overshoots the two."""
    made = sharpen(pictures.step_edge())
    return max(float(made.max()) - 0.8, 0.2 - float(made.min()), 0.0)


def noise_gain(sharpen: Callable[[Any], Any]) -> float:
    """Give the spread of flat noise after sharpening over its spread before."""
    noise = pictures.flat_noise()
    return float(sharpen(noise).std() / noise.std())
