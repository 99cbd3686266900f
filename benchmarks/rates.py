"""What an hour of 1080p video costs: processor time of decoding, of every operation at its defaults, of the networks, and of encoding."""
from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN
from torch.utils.flop_counter import FlopCounterMode

from talkies.core.catalogue import OPERATIONS
from talkies.core.lipsync.network import LipNetwork
from talkies.core.operation import run
from talkies.core.video.clip import Chunk
from talkies.core.video.encoding import Encoding
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource

from . import lips_problems
from .pictures import clip
from .timing import machine, table

NEEDS_A_MODEL = ("superresolve",)
ENOUGH = 5
"""Processor seconds after which a stage is not repeated."""
RATE = 25


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the table, and give its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rates", description=__doc__)
    parser.add_argument("--frames", type=int, default=6, help="frames that each operation runs on; default 6")
    parser.add_argument("--size", default="1920x1080", help="of the frames; default 1920x1080")
    parser.add_argument("--price", type=float, default=0.04, metavar="DOLLARS", help="of a processor (vCPU) for an hour; default 0.04")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows whose name contains one of these")
    parser.add_argument("--threads", type=int, default=1, help="of torch, for the networks; default 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    width, height = (int(side) for side in options.size.split("x"))
    print(f"Rates, {machine()}\n", flush=True)
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, measured in {**_stages(width, height, options.frames, Path(folder)), **_networks()}.items():
            if options.only and not any(word in name for word in options.only):
                continue
            seconds, more = measured()
            hours = seconds * RATE
            print(f"{name}: {seconds:.4f} s", file=sys.stderr, flush=True)  # the slow ones take a while
            figures[name] = {"CPU s a frame": seconds, "CPU hours": hours, "dollars": hours * options.price, **more}
    rows = [[name, f"{row['CPU s a frame']:.4f}", f"{row['CPU hours']:.2f}", f"{row['dollars']:.3f}",
             f"{row['TFLOP']:.3f}" if "TFLOP" in row else ""] for name, row in figures.items()]
    print("\n" + table(["stage", "CPU s/frame", "CPU h per h", "$ per h", "TFLOP/frame"], rows))
    print(f"Processor time of all threads, best of two (if slow, one) after one to warm up; {options.frames} frames of {options.size}.\n"
          f"CPU h per h: processor hours for an hour of {RATE} frames a second, and its price at {options.price:g} dollars each.\n"
          "Networks: with drawn weights, for the one face of a frame.")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


Measure = Callable[[], tuple[float, dict[str, float]]]


def _cpu(call: Callable[[], object], frames: int) -> float:
    call()
    found: list[float] = []
    while len(found) < 2 and sum(found) * frames < ENOUGH:
        started = time.process_time()
        call()
        found.append((time.process_time() - started) / frames)
    return min(found)


def _stages(width: int, height: int, count: int, folder: Path) -> dict[str, Measure]:
    pictures = clip(count, width, height)
    coded = -(-24 // count) * count
    path = folder / "in.mp4"

    def encode(speed: str, codec: str = "h264") -> Measure:
        def once() -> None:
            with create_sink(path, BatchSource(pictures, RATE).info, Encoding(codec, speed=speed)) as sink:  # type: ignore[arg-type]
                for first in range(0, coded, count):
                    sink.write(Chunk(first, pictures, tuple(range(first, first + count))))

        return lambda: (_cpu(once, coded), {"MB an hour": path.stat().st_size / coded * RATE * 3600 / 1e6})

    def decode() -> tuple[float, dict[str, float]]:
        def once() -> None:
            with FileSource(path) as source:
                for _ in source.chunks(4):
                    pass

        return _cpu(once, coded), {}

    def operation(name: str) -> Measure:
        return lambda: (_cpu(lambda: run(OPERATIONS[name](), pictures), count), {})

    coders: dict[str, Measure] = {f"encode H.264, {speed}": encode(speed) for speed in ("fast", "slow", "medium")}
    named = {OPERATIONS[name].__name__: operation(name) for name in OPERATIONS if name not in NEEDS_A_MODEL}
    return {**coders, "decode H.264": decode, **named}


def _networks() -> dict[str, Measure]:
    def crop(network: torch.nn.Module) -> Measure:
        return lambda: _network(network, (torch.rand(1, 3, 128, 128),))

    def lips() -> tuple[float, dict[str, float]]:
        given = lips_problems.lips_filling.inputs(1)
        return _network(LipNetwork(), (given["x"], torch.tensor([500]), *(given[name] for name in ("cond", "mask", "ref", "mel"))))

    return {"mouth 128x128, x2plus": crop(ESRGAN(in_nc=12, num_blocks=23, scale=4, shuffle_factor=2)),
            "mouth 128x128, animevideov3": crop(Compact(num_conv=16, upscale=4)), "lips, one evaluation": lips}


def _network(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[float, dict[str, float]]:
    network.eval()
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            network(*inputs)
        return _cpu(lambda: network(*inputs), 1), {"TFLOP": counter.get_total_flops() / 1e12}
