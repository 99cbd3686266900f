"""Drawing lips into clips: what the shortcuts save and cost, what is shared over the steps, memory by length of the clip.

Run from the repository root: ``python -m benchmarks lips_generate`` (``--part shortcuts``, ``--part shares`` or ``--part memory``).

The network's weights stand in for the published ones. As it is, such a network saturates the picture; so for distances it is
``eps = x + 0.1 network(x)``, the residual chain of the goldens, whose walk has the length and smoothness of a real one.
"""
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from talkies.core.face.track import track_from_points
from talkies.core.lipsync.condition import LipInputs, assemble
from talkies.core.lipsync.draw import Walk, draw
from talkies.core.lipsync.lip_sync import LipSync
from talkies.core.lipsync.model import Drawn, LipModel
from talkies.core.lipsync.network import Conditions, Deep, LipNetwork
from talkies.core.lipsync.samplers.presets import sampler
from talkies.core.lipsync.sound import LipSound
from talkies.core.video.clip import Chunk, ClipInfo, FrameSink, FrameSource
from talkies.core.video.memory import chunk_frames
from talkies.core.video.render import render

from . import ROOT
from .lips_problems import filled_network, lips_filling

_FACE = np.array([[-56.0, -64], [56, -64], [0, 8], [-40, 64], [40, 64]])
_LENGTHS = (50, 400, 3200)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Print the tables and give their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks lips_generate", description=__doc__)
    parser.add_argument("--part", choices=("shortcuts", "shares", "memory", "all"), default="all")
    parser.add_argument("--size", type=int, default=64, help="face size of the shortcuts, a multiple of 16; published 128, default 64")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.frames:
        print(json.dumps(_peak(options.frames)))
        return {}
    torch.set_num_threads(options.threads)
    parts = {"shortcuts": lambda: shortcuts(options.size), "shares": shares, "memory": memory}
    figures = {name: part() for name, part in parts.items() if options.part in (name, "all")}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


# --- shortcuts -----------------------------------------------------------------------------------------------------------


class _Residual(LipNetwork):
    """The network with ``eps = x + 0.1 network(x)``."""

    def denoise(self, x: Tensor, timesteps: Tensor, conditions: Conditions, deep: Deep | None = None) -> Tensor:
        return x + 0.1 * super().denoise(x, timesteps, conditions, deep)


def shortcuts(size: int) -> dict[str, Any]:
    """Draw two neighbouring faces exactly and by each shortcut: rms distance in the mouth (0..1), evaluations, processor time."""
    network = _Residual()
    network.load_state_dict(filled_network().state_dict(), strict=True)
    network.eval().requires_grad_(False).fuse()
    given = _neighbours(size)
    print(f"\nShortcuts, two neighbouring faces of {size} px, ddim25 of the residual chain: rms distance from the exact mouth (0..1)")
    walk = Walk(sampler("ddim", 25))
    exact, exact_seconds = _timed(network, given, walk)
    fewer = {f"ddim{n}": Walk(sampler("ddim", n)) for n in (5, 10)} | {f"adams {n}": Walk(sampler("adams", n)) for n in (8, 12)}
    rows: dict[str, Any] = {"ddim25, exact": {"seconds": exact_seconds}}
    print(f"  {'ddim25, exact':<22} {exact_seconds:7.2f} s")
    ways = {f"DeepCache {n}": replace(walk, reuse=n) for n in (2, 3, 5)}
    for name, way in {**ways, **{f"warm start {share:g}": replace(walk, skip=share) for share in (0.3, 0.5, 0.7)}, **fewer}.items():
        made, seconds = _timed(network, given, way)
        pairs = [(a.picture[size // 2 :], b.picture[size // 2 :]) for a, b in zip(exact, made, strict=True)]
        apart = max(float(np.sqrt(np.mean((a - b) ** 2))) for a, b in pairs)
        rows[name] = {"distance": apart, "seconds": seconds, "speed": exact_seconds / seconds, "evaluations": made[1].evaluations}
        print(f"  {name:<22} {seconds:7.2f} s  {exact_seconds / seconds:5.2f}x  distance {apart:.4f}  ({made[1].evaluations} evaluations)")
    return rows


def _neighbours(size: int) -> LipInputs:
    """Give two faces that differ as neighbouring frames do: a little grain, and a mel that moved on by three columns."""
    one = lips_filling.inputs(1, size)
    face = torch.cat([one["face"], (one["face"] + 0.02 * one["x"]).clamp(-1, 1)])
    mel = torch.cat([one["mel"], torch.roll(one["mel"], 3, 2)])
    return LipInputs(one["noise"], face, one["mask"].expand(2, -1, -1, -1), face, mel)


def _timed(network: LipNetwork, given: LipInputs, walk: Walk) -> tuple[list[Drawn], float]:
    """Draw the first face in full and the second after it; give both, and processor seconds over threads."""
    model = LipModel(network)
    began = time.process_time()
    first = draw(model, given.rows(slice(0, 1)), walk.in_full())
    earlier = assemble(first[0].picture, first[0].picture, given.mel[:1], given.noise).face if walk.skip else None
    second = draw(model, given.rows(slice(1, 2)), walk, earlier)
    return first + second, (time.process_time() - began) / torch.get_num_threads()


# --- shares --------------------------------------------------------------------------------------------------------------


def shares() -> dict[str, float]:
    """Time what is computed once a face beside one evaluation, at 128 px."""
    network = filled_network().fuse()
    one = lips_filling.inputs(1)
    with torch.inference_mode():
        conditions = network.prepare(one["cond"], one["mask"], one["ref"], one["mel"])
        deep = Deep(10**6)
        network.denoise(one["x"], torch.tensor([500]), conditions, deep)
        calls = {"audio and first convolution, once a face": lambda: network.prepare(one["cond"], one["mask"], one["ref"], one["mel"]),
                 "one evaluation": lambda: network.denoise(one["x"], torch.tensor([500]), conditions),
                 "one with deep features kept": lambda: network.denoise(one["x"], torch.tensor([500]), conditions, deep)}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(4):
            for name, call in calls.items():
                began = time.process_time()
                call()
                seconds[name].append((time.process_time() - began) / torch.get_num_threads())
    best = {name: min(spent) for name, spent in seconds.items()}
    print("\nProcessor seconds over threads, one face of 128 px, best of 4")
    for name, spent in best.items():
        print(f"  {name:<42} {spent:.4f} s")
    saved = 1 - (best["audio and first convolution, once a face"] / 25) / best["audio and first convolution, once a face"]
    print(f"  encoded once and reused over 25 steps, {saved:.0%} of the audio's time is saved")
    return best


# --- memory --------------------------------------------------------------------------------------------------------------


def memory() -> dict[str, Any]:
    """Stream clips of several lengths, each in a process of its own, and read its peak."""
    print("\nPeak memory of a streamed 720p clip, network of no weights (the published one adds 407 MB and 81 MB a face)")
    peaks = {}
    for frames in _LENGTHS:
        command = [sys.executable, "-m", "benchmarks", "lips_generate", "--frames", str(frames)]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        peaks[frames] = json.loads(told.strip().splitlines()[-1])
        print(f"  {frames:5d} frames: {peaks[frames]['peak_mib']:.0f} MiB ({peaks[frames]['above_start_mib']:.0f} above the start)")
    return {"peaks": peaks, "growth": peaks[_LENGTHS[-1]]["peak_mib"] / peaks[_LENGTHS[0]]["peak_mib"]}


class _Constant(nn.Module):
    """Stands for the network where only what is around it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.precision, self.placement = torch.float32, torch.device("cpu")

    def placed(self, device: torch.device, quick: bool = False) -> _Constant:
        return self

    def prepare(self, cond: Tensor, mask: Tensor, ref: Tensor, mel: Tensor) -> Conditions:
        return Conditions(mel.mean((1, 2))[:, None], mask, ref)

    def bound_to(self, conditions: Conditions, every: int = 1, compiled: bool = False) -> Any:
        return lambda x, timestep: 0.5 * x + 0.1 * conditions.base


class _Drawing(FrameSource):
    """A clip that is drawn as it is read."""

    def __init__(self, count: int) -> None:
        self.info = ClipInfo(1280, 720, Fraction(25), Fraction(1, 25), count)

    def chunks(self, size: int) -> Iterator[Chunk]:
        for start in range(0, self.info.frames or 0, size):
            count = min(size, (self.info.frames or 0) - start)
            frames = np.random.default_rng(start).random((count, 720, 1280, 3), np.float32)
            yield Chunk(start, frames, tuple(range(start, start + count)))


class _Nowhere(FrameSink):
    """Takes frames and forgets them."""

    def _open(self) -> None: ...

    def write(self, chunk: Chunk) -> None: ...

    def _commit(self) -> None: ...

    def _abort(self) -> None: ...


def _peak(count: int) -> dict[str, float]:
    torch.set_num_threads(1)
    track = track_from_points([_FACE + np.array([640, 360])] * count, "points5", (720, 1280), Fraction(25))
    sound = LipSound(np.random.default_rng(0).uniform(-4, 4, (80, 80 * count // 25 + 16)).astype(np.float32), Fraction(count, 25))
    model: Any = LipModel(_Constant())  # type: ignore[arg-type]
    operation = LipSync(evaluations=2, sampler="dpm_2m", track=track, sound=sound, model=model)
    source = _Drawing(count)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory(), _Nowhere() as sink:
        render(source, sink, operation, chunk_frames(source.info))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak_mib": peak, "above_start_mib": peak - start}


if __name__ == "__main__":
    main(sys.argv[1:])
