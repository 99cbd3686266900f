"""Super Resolve beside the plain float32 module that RealESRGANer runs, beside the machine's own peak; tiles, memory, reuse.

Run by ``python -m benchmarks.upscale`` (options: ``--help``). The networks have the published shapes and drawn weights: no file is
needed.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN

from talkies.core.arrays import Frames
from talkies.core.upscale.engine import Runtime, TorchEngine
from talkies.core.upscale.super_resolve import SuperResolve
from talkies.core.upscale.tiles import fitting_grid
from talkies.core.upscale.upscaler import Upscaler
from talkies.core.video.clip import Chunk, ClipInfo, FrameSource
from talkies.core.video.encoding import Encoding
from talkies.core.video.memory import chunk_frames
from talkies.core.video.render import render, rendered_info
from talkies.core.video.sink import create_sink

from .timing import Way, machine, peak_bytes, side_by_side, table

MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    "animevideov3": lambda: Compact(num_conv=16, upscale=4),
    "general-x4v3": lambda: Compact(num_conv=32, upscale=4),
    "x2plus": lambda: ESRGAN(in_nc=12, num_blocks=23, scale=4, shuffle_factor=2),
    "x4plus": lambda: ESRGAN(num_blocks=23, scale=4),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that only this benchmark has."""
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS), help="default: all four")
    parser.add_argument("--crop", type=int, default=128, help="side of the crop that is upscaled, px; default 128")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch; 1 is steadier on a busy machine")
    parser.add_argument("--video", type=Path, help="a video for the reuse of unchanged tiles; default: none")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory, which takes a process a model")
    parser.add_argument("--clips", type=int, nargs="*", default=[], metavar="FRAMES",
                        help="stream clips of so many frames of 96x160 px (e.g. 250 2500) and tell the peak of each; default: none")
    parser.add_argument("--peak-of", choices=list(MODELS), help=argparse.SUPPRESS)
    parser.add_argument("--peak-of-clip", type=int, help=argparse.SUPPRESS)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Print the tables and give their figures."""
    if options.peak_of:
        peak = {"beyond_output_bytes": beyond_output(options.peak_of, options.frames, *options.size)}
        print(json.dumps(peak))
        return peak
    if options.peak_of_clip:
        peak = {"peak_bytes": streamed(options.peak_of_clip, options.video)}
        print(json.dumps(peak))
        return peak
    torch.set_num_threads(options.threads)
    print(f"Super Resolve, crops of {options.crop} px, median of {options.repeat}\n{machine()}, torch threads: {options.threads}\n")
    speed = {name: crop_speed(name, options.crop, options.repeat) for name in options.models}
    tiles = overheads()
    memory = {} if options.no_memory else memories(options)
    clips = clip_memories(options) if options.clips else {}
    reuse = reuse_gain(options.video, options.frames, options.repeat) if options.video else {}
    return {"machine": machine(), "crop": options.crop, "speed": speed, "tiles": tiles, "memory": memory, "clips": clips, "reuse": reuse}


def described(name: str) -> Any:
    """Give a network of a published shape with drawn weights, as spandrel describes it."""
    torch.manual_seed(0)
    return ModelLoader().load_from_state_dict(dict(MODELS[name]().state_dict())).eval()


# --- speed ---------------------------------------------------------------------------------------------------------------


def flop(network: torch.nn.Module, side: int) -> float:
    """Count the floating-point operations of a network's convolutions on one RGB crop: two for a product and its sum."""
    total = [0.0]

    def count(layer: Any, _inputs: Any, made: torch.Tensor) -> None:
        total[0] += 2.0 * made.nelement() * layer.weight.nelement() / layer.weight.shape[0]

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    with torch.inference_mode():
        network(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    return total[0]


def peaks(side: int) -> dict[str, tuple[Way, float]]:
    """Give what shows the machine's peak: matrix products, and a convolution of 64 channels at the size of the crop; with their FLOP."""
    ways = {}
    for kind, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = torch.rand(2048, 2048).to(dtype), torch.rand(2048, 2048).to(dtype)
        x = torch.rand(1, 64, side, side).to(dtype).contiguous(memory_format=torch.channels_last)
        w = torch.rand(64, 64, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
        ways[f"gemm {kind}"] = Way(lambda a=a, b=b: a @ b, 1), 2.0 * 2048**3
        ways[f"conv {kind}"] = Way(lambda x=x, w=w: torch.nn.functional.conv2d(x, w, padding=1), 1), 2.0 * 64 * 64 * 9 * side**2
    return ways


def crop_speed(name: str, side: int, repeat: int) -> dict[str, Any]:
    """Time one model on one crop."""
    frame = torch.rand(1, side, side, 3)
    plain_module = described(name).model
    work = flop(plain_module, side)
    planes = frame.permute(0, 3, 1, 2).contiguous()

    def plain() -> None:
        with torch.inference_mode():
            plain_module(planes)

    ways: dict[str, tuple[Way, float]] = {**peaks(side), "plain NCHW float32": (Way(plain, 1), work)}
    for precision in ("float32", "bfloat16"):
        engine = TorchEngine(described(name), precision, Runtime())  # type: ignore[arg-type]  # a loop over literals
        ways[f"talkies {precision}"] = Way(lambda engine=engine: _start(engine, frame), 1), work
    timed = side_by_side({key: way for key, (way, _) in ways.items()}, repeat)
    rates = {key: ways[key][1] / t.cpu_ms / 1e6 for key, t in timed.items()}
    plain_cpu = timed["plain NCHW float32"].cpu_ms
    rows = []
    for key, t in timed.items():
        kind = "bfloat16" if "bfloat16" in key else "float32"
        best = max(rates[f"gemm {kind}"], rates[f"conv {kind}"])
        networks = "talkies" in key or "plain" in key
        rows.append([key, f"{t.wall_ms:.1f}", f"{t.cpu_ms:.1f}", f"{rates[key]:.0f}", f"{rates[key] / best:.2f}",
                     f"{plain_cpu / t.cpu_ms:.2f}" if networks else ""])
    print(f"{name}, {work / 1e9:.1f} GFLOP")
    print(table(["way", "ms", "CPU ms", "GFLOP/CPU s", "of the peak", "x plain"], rows) + "\n")
    return {key: {"wall_ms": t.wall_ms, "cpu_ms": t.cpu_ms, "gflops": rates[key]} for key, t in timed.items()}


def _start(engine: TorchEngine, frame: torch.Tensor) -> None:
    with engine.session() as start:
        start(frame.permute(0, 3, 1, 2)).wait()


# --- tiles ---------------------------------------------------------------------------------------------------------------


def padded(length: int, tile: int, pad: int) -> int:
    """Count the pixels read along one axis by RealESRGANer: cut every `tile` px, each piece with `pad` px around it."""
    return sum(min(length, s + tile + pad) - max(0, s - pad) for s in range(0, length, tile))


def overlapping(length: int, tile: int, overlap: int) -> int:
    """Count the pixels read along one axis by ComfyUI: pieces of `tile` px, each beginning `overlap` px before the last one's end."""
    return sum(min(length, s + tile) - s for s in range(0, length - overlap, tile - overlap))


def overheads() -> dict[str, float]:
    """Tell how many pixels are computed for one of the frame, at 1920x1080."""
    ours = fitting_grid(1080, 1920, TorchEngine(described("animevideov3")).most, 4)
    figures = {f"talkies, {len(ours.columns)}x{len(ours.rows)} tiles": ours.overhead}
    figures["RealESRGANer, 400 px and 10 px around"] = padded(1920, 400, 10) * padded(1080, 400, 10) / (1920 * 1080)
    figures["ComfyUI, 512 px overlapping by 32 px"] = overlapping(1920, 512, 32) * overlapping(1080, 512, 32) / (1920 * 1080)
    print(table(["tiles of 1920x1080", "pixels computed / pixels"], [[k, f"{v:.3f}"] for k, v in figures.items()]) + "\n")
    return figures


# --- memory --------------------------------------------------------------------------------------------------------------


def beyond_output(name: str, frames: int, width: int, height: int) -> int:
    """Give the peak of this process's memory beyond frames, weights and result, after one warm frame."""
    operation = SuperResolve(upscaler=Upscaler(described(name)))
    clip = np.random.default_rng(0).random((frames, height, width, 3)).astype(np.float32)
    operation(clip[:1, :64, :64])
    scale = int(operation.scale)
    return peak_bytes(lambda: operation(clip)) - frames * height * width * 3 * 4 * scale**2


def memories(options: argparse.Namespace) -> dict[str, dict[int, float]]:
    """Measure in a new process a model, with one frame and with `frames`."""
    width, height = options.size
    figures: dict[str, dict[int, float]] = {}
    for name in options.models:
        for frames in (1, options.frames):
            command = [sys.executable, "-m", "benchmarks.upscale", "--peak-of", name, "--frames", str(frames),
                       "--size", f"{width}x{height}"]
            done = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, check=True)
            figures.setdefault(name, {})[frames] = json.loads(done.stdout.splitlines()[-1])["beyond_output_bytes"] / 2**20
    print(table([f"memory beyond the result, {width}x{height}", "1 frame, MiB", f"{options.frames} frames, MiB"],
                [[name, *(f"{m:.0f}" for m in by.values())] for name, by in figures.items()]) + "\n")
    return figures


def streamed(frames: int, video: Path | None) -> int:
    """Render a clip of so many small frames (the video's, over and over, or noise) to a file; give what memory that took at most, bytes."""
    pictures = np.random.default_rng(0).random((8, 160, 96, 3)).astype(np.float32)
    if video:
        pictures = np.stack([cv2.resize(p, (96, 160), interpolation=cv2.INTER_AREA) for p in _pictures(video, 8)])
    times = tuple(range(frames))

    class Looped(FrameSource):
        info = ClipInfo(96, 160, Fraction(25), Fraction(1, 25), frames)

        def chunks(self, size: int) -> Any:
            for first in range(0, frames, size):
                stop = min(frames, first + size)
                yield Chunk(first, pictures[np.arange(first, stop) % len(pictures)], times[first:stop])

    operation = SuperResolve(upscaler=Upscaler(described("animevideov3")))
    source = Looped()

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.mp4"
            with create_sink(path, rendered_info(source.info, operation), Encoding("h264"), None) as sink:
                render(source, sink, operation, chunk_frames(source.info, 64, operation.scale))

    return peak_bytes(work)


def clip_memories(options: argparse.Namespace) -> dict[int, float]:
    """Stream clips of several lengths, each in a new process."""
    figures: dict[int, float] = {}
    for frames in options.clips:
        command = [sys.executable, "-m", "benchmarks.upscale", "--peak-of-clip", str(frames)]
        command += ["--video", str(options.video.resolve())] if options.video else []
        done = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, check=True)
        figures[frames] = json.loads(done.stdout.splitlines()[-1])["peak_bytes"] / 2**20
    print(table(["frames of 96x160 px streamed to a video at 4x", "memory at most, MiB"],
                [[str(n), f"{m:.0f}"] for n, m in figures.items()]) + "\n")
    return figures


# --- reuse ---------------------------------------------------------------------------------------------------------------


def reuse_gain(video: Path, frames: int, repeat: int) -> dict[str, float]:
    """Tell what the reuse of unchanged tiles saves on the first frames of a video, and on the same frames shown twice each."""
    clip = _pictures(video, frames)
    still = np.repeat(clip[:1], len(clip), 0)
    ways, figures = {}, {}
    for label, shown in (("as it is", clip), ("held frame", still)):
        for reuse in (False, True):
            operation = SuperResolve(reuse=reuse, upscaler=Upscaler(described("animevideov3")))
            ways[f"{label}, reuse {'on' if reuse else 'off'}"] = Way(lambda o=operation, f=shown: o(f), len(shown))
    timed = side_by_side(ways, max(1, repeat // 2))
    for label in ("as it is", "held frame"):
        figures[label] = timed[f"{label}, reuse off"].wall_ms / timed[f"{label}, reuse on"].wall_ms
    print(table([f"{video.name}, {clip.shape[2]}x{clip.shape[1]}", "ms/frame"], [[k, f"{t.wall_ms:.0f}"] for k, t in timed.items()]))
    print("speed-up: " + ", ".join(f"{k} {v:.2f}" for k, v in figures.items()) + "\n")
    return figures


def _pictures(video: Path, count: int) -> Frames:
    with av.open(str(video)) as container:
        pictures = [f.to_ndarray(format="rgb24") for f, _ in zip(container.decode(video=0), range(count), strict=False)]
    return np.stack(pictures).astype(np.float32) / 255


def main(arguments: list[str]) -> dict[str, Any]:
    """Read the options, measure, and give the figures."""
    return measure(_parsed(arguments))


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upscale", description=__doc__)
    parser.add_argument("--frames", type=int, default=8, help="frames a clip, for memory and reuse; default 8")
    parser.add_argument("--size", type=lambda t: tuple(int(n) for n in t.split("x")), default=(640, 360), metavar="WxH",
                        help="default 640x360")
    parser.add_argument("--repeat", type=int, default=5, help="calls of which the median counts; default 5")
    add_arguments(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
