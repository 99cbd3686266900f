"""The lips: error of the samplers at equal evaluations beside DDIM's, and what an evaluation costs beside the processor's own peak.

Run from the repository root: ``python -m benchmarks.lips`` (``--part errors`` or ``--part cost`` for one half).
"""
from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from talkies.core.lipsync.network import LipNetwork
from talkies.core.lipsync.samplers import auto
from talkies.core.lipsync.samplers.base import Sampler
from talkies.core.lipsync.samplers.presets import sampler

from . import lips_problems
from .lips_problems import Problem

DDIM = (5, 10, 25, 50, 100)
OURS = (8, 10, 12, 16, 20)
OTHERS = ("dpm_2m", "dpm_3m", "dpm_2s", "dpm_3s", "unipc_2", "unipc_3")
AIMS = {50: 12, 100: 20}
_PILOTS = 64  # two of each drawn mixture


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Print the tables and give their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lips", description=__doc__)
    parser.add_argument("--part", choices=("errors", "cost", "all"), default="all")
    parser.add_argument("--size", type=int, default=32, help="face size of the network's row, a multiple of 16; default 32, published 128")
    parser.add_argument("--rows", nargs="+", metavar="TEXT", default=[""], help="only the rows whose names contain one of these")
    parser.add_argument("--no-network", action="store_true", help="leave out the network's row, which takes minutes")
    parser.add_argument("--batch", type=int, default=1, help="faces an evaluation in the cost part; default 1")
    parser.add_argument("--repeat", type=int, default=5, help="turns of which the median and the best are shown; default 5")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too, which takes minutes at first")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch; 1 gives fair shares on a busy machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        if options.part != "cost":
            figures["errors"] = errors(0 if options.no_network else options.size, options.rows)
        if options.part != "errors":
            figures["cost"] = cost(options.batch, options.repeat, options.compile)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


# --- errors --------------------------------------------------------------------------------------------------------------


def errors(network_size: int, rows: Sequence[str] = ("",)) -> dict[str, Any]:
    """Measure every sampler on every problem whose name contains one of `rows`; `network_size` 0 leaves the network out."""
    problems = lips_problems.mixtures(rows)
    if network_size and any(text in lips_problems.NETWORK_ROW for text in rows):
        problems.append(lips_problems.network_problem(lips_problems.filled_network(), network_size))
    return {problem.name: _row(problem) for problem in problems}


def _row(problem: Problem) -> dict[str, Any]:
    ddim = {n: _error(problem, sampler("ddim", n)) for n in DDIM}
    ours = {n: _error(problem, sampler("adams", n)) for n in OURS}
    print(f"\n{problem.name}: rms error (walks that ended at another mode, of {len(problem.noise)})")
    print("  ddim        " + _cells(ddim))
    print("  adams       " + _cells(ours))
    others = {}
    for name in OTHERS:
        spacings = ("log_snr", "sqrt_t")
        others[name] = {s: {n: _error(problem, sampler(name, n, s)) for n in (12, 20)} for s in spacings}
        print(f"  {name:<10}  " + "   ".join(f"{s} {_cells(others[name][s])}" for s in spacings))
    aims = {}
    for peer, aim in AIMS.items():
        goal = ddim[peer][0]
        reached = next((n for n in OURS if ours[n][0] <= goal), None)
        aims[peer] = {"reached_at": reached, "aim": aim, "kept": reached is not None and ours[aim][0] <= goal}
        print(f"  error of ddim{peer}: " + (f"reached with {reached} evaluations" if reached else f"not reached with {OURS[-1]}")
              + f"; at {aim}: {ours[aim][0] / goal:.2f} of it" + ("" if aims[peer]["kept"] else f"  <-- MISSES the aim of {aim}"))
    return {"ddim": ddim, "adams": ours, "others": others, "aims": aims, "auto": _auto(problem)}


def _auto(problem: Problem) -> list[dict[str, Any]]:
    rows = []
    for bound in (0.1, auto.BOUND, 0.02):
        pilots = problem.noise[:: max(len(problem.noise) // _PILOTS, 1)]
        chosen = auto.plan(problem.denoise(), pilots, bound)
        made = chosen.sampler.sample(problem.denoise(), problem.noise)
        rows.append({"bound": bound, "evaluations": chosen.sampler.evaluations, "predicted": chosen.predicted,
                     "estimate": float(made.error.median()), "error": problem.error(made.clean)})
        print(f"  auto, bound {bound:g}: {chosen.sampler.evaluations} evaluations, predicted {chosen.predicted:.4f}, estimate of the "
              f"median walk {rows[-1]['estimate']:.4f}, true error {rows[-1]['error']:.4f}")
    return rows


def _error(problem: Problem, chosen: Sampler) -> tuple[float, int]:
    made = chosen.sample(problem.denoise(), problem.noise).clean
    return problem.error(made), problem.strays(made)


def _cells(row: Mapping[int, tuple[float, int]]) -> str:
    return "  ".join(f"{n}: {error:.4f} ({strays})" for n, (error, strays) in row.items())


# --- cost ----------------------------------------------------------------------------------------------------------------


def cost(batch: int, repeat: int, compiled: bool = False) -> dict[str, Any]:
    """Time one evaluation in each way beside the best matrix product and convolution of this machine, all in turn.

    On a processor it is processor time over threads that counts, since that leaves out what else the machine does meanwhile.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ways: dict[str, Callable[[], object]] = {}
    given = {k: v[:1].expand(batch, *v.shape[1:]).to(device) for k, v in lips_problems.lips_filling.inputs(1).items()}
    timesteps = torch.full((batch,), 500, device=device)
    half = torch.bfloat16

    def way(network: LipNetwork) -> Callable[[], object]:
        conditions = network.prepare(given["cond"], given["mask"], given["ref"], given["mel"])
        return lambda: network.denoise(given["x"], timesteps, conditions)

    plain = _network(device)
    ways["as published"] = lambda: plain(given["x"], timesteps, given["cond"], given["mask"], given["ref"], given["mel"])
    ways["shared parts once"] = way(plain)
    ways["+ folded doublings"] = way(_network(device, fuse=True))
    ways["+ channels_last"] = way(_network(device, fuse=True, last=True))
    ways["+ Winograd"] = way(_network(device, fuse=True).placed(device, quick=True))
    ways["bfloat16"] = way(_network(device, fuse=True, precision=half))
    ways["bfloat16 + channels_last"] = way(_network(device, fuse=True, last=True, precision=half))
    if compiled:
        for name, made in (("+ torch.compile", _network(device, fuse=True, last=True)),
                           ("bfloat16 + channels_last + torch.compile", _network(device, fuse=True, last=True, precision=half))):
            ways[name] = partial(made.bound_to(made.prepare(given["cond"], given["mask"], given["ref"], given["mel"]), compiled=True),
                                 given["x"], 500)
    ways["audio, once a frame"] = lambda: plain.style(given["mel"])
    flops = {name: _flops(call) for name, call in ways.items() if name != "+ Winograd" and "compile" not in name}
    # Counted as the work that they do, with the products of the direct way.
    flops |= {name: flops["+ channels_last"] for name in ways if name not in flops}
    peaks = {"float32": _peaks(torch.float32, device), "bfloat16": _peaks(half, device)}
    for kind, calls in peaks.items():
        for name, (call, count) in calls.items():
            ways[f"{name} {kind}"], flops[f"{name} {kind}"] = call, count
    seconds = _in_turn(ways, repeat, device)
    rates = {name: flops[name] / min(seconds[name]) / 1e9 for name in ways}
    best = {kind: max(rates[f"{name} {kind}"] for name in calls) for kind, calls in peaks.items()}
    print(f"\nOne evaluation of {batch} face(s) on {device}, {torch.get_num_threads()} threads, best and median of {repeat}:")
    rows = {}
    for name in ways:
        kind = "bfloat16" if "bfloat16" in name else "float32"
        rows[name] = {"best_s": min(seconds[name]), "median_s": statistics.median(seconds[name]), "gflop": flops[name] / 1e9,
                      "gflops": rates[name], "share_of_peak": rates[name] / best[kind]}
        print(f"  {name:<40} {min(seconds[name]):8.4f} s {rows[name]['median_s']:8.4f} s  {flops[name] / 1e9:8.2f} GFLOP  "
              f"{rates[name]:9.1f} GFLOP/s  {rates[name] / best[kind]:6.1%} of the {kind} peak")
    fastest = min((n for n in ways if n.startswith("bfloat16")), key=lambda n: min(seconds[n]))
    gain = min(seconds["+ folded doublings"]) / min(seconds[fastest])
    print(f"  {fastest} is {gain:.2f}x as fast as float32; frames/s of it at ddim25: {batch / (25 * min(seconds[fastest])):.2f}, "
          f"at 12 evaluations: {batch / (12 * min(seconds[fastest])):.2f}")
    return {"ways": rows, "bfloat16_gain": gain}


def _network(device: torch.device, *, fuse: bool = False, last: bool = False, precision: torch.dtype = torch.float32) -> LipNetwork:
    network = LipNetwork().eval().requires_grad_(False)
    if fuse:
        network.fuse()
    network.use_precision(precision).to(device)
    return network.to(memory_format=torch.channels_last) if last else network


def _peaks(kind: torch.dtype, device: torch.device) -> dict[str, tuple[Callable[[], object], float]]:
    side = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    maps = torch.randn(1, 256, 64, 64, device=device, dtype=kind)
    weight = torch.randn(256, 256, 3, 3, device=device, dtype=kind)
    return {"matrix product": (lambda: a @ b, 2.0 * side**3),
            "3x3 convolution": (lambda: functional.conv2d(maps, weight, padding=1), 2.0 * 9 * 256 * 256 * 64 * 64)}


def _flops(call: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


def _in_turn(ways: Mapping[str, Callable[[], object]], repeat: int, device: torch.device) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    clock, threads = (time.perf_counter, 1) if device.type == "cuda" else (time.process_time, torch.get_num_threads())
    for turn in range(repeat + 1):
        for name, call in ways.items():
            start = clock()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:
                seconds[name].append((clock() - start) / threads)
    return seconds


if __name__ == "__main__":
    main(sys.argv[1:])
