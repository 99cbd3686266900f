"""The deep image prior beside the published architecture and OpenCV: cost of a step, presets, the automatic stop, inpainting,
enlarging."""
from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from skimage.restoration import inpaint_biharmonic

from talkies.core.arrays import from_uint8, to_image, to_uint8
from talkies.core.masked import Mask
from talkies.core.measure.image import psnr
from talkies.core.progress import silent
from talkies.core.restore.bm3d.operation import BM3D
from talkies.core.restore.prior.deep_image_prior import DeepImagePrior
from talkies.core.restore.prior.fit import PATIENT_FROM, Fit, Plan, fit
from talkies.core.restore.prior.problems import Problem
from talkies.core.restore.prior.recipe import recipe
from talkies.core.restore.prior.runtime import Runtime, best_device
from talkies.core.restore.prior.stopping import PATIENCE, WINDOW, VarianceRule
from talkies.core.restore.prior.target import Target

from .prior_cases import CASES, gaussian, picture
from .prior_published import WideUNet
from .timing import Way, machine, side_by_side, table

PICTURES = ("astronaut", "camera", "coffee")
OTHERS = ("chelsea", "rocket", "immunohistochemistry", "moon", "brick", "grass", "retina", "coins")
"""Photographs that nothing was tuned on."""
RADII = (1, 1.5, 2, 3, 5)
"""Of OpenCV's inpainting; the best for the very picture counts."""
PARTS = ("speed", "presets", "stop", "inpaint", "enlarge")
SIZE, SIZE_OF_STOPS = 256, 128
"""Sides of the pictures, px. The stops are ten long runs, so theirs are smaller."""
CLEARLY = 0.5
"""Decibels below its best at which a picture is clearly over-fitted."""


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables of the chosen parts, and give their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks prior", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="what to measure; default: all, which takes most of an hour")
    parser.add_argument("--picture", action="append", choices=PICTURES + OTHERS, help="default: the first three")
    parser.add_argument("--preset", action="append", choices=("fast", "balanced", "thorough"), help="default: fast and balanced")
    parser.add_argument("--network", choices=("auto", "hourglass", "deep_decoder"), default="auto",
                        help="of the presets, inpaint and enlarge parts; hourglass: the pure prior; default auto")
    parser.add_argument("--case", action="append", type=int, choices=range(len(CASES)), help="of the stop part; default: all ten")
    parser.add_argument("--factor", action="append", type=int, choices=(2, 4), help="of the enlarge part; default: both")
    parser.add_argument("--size", type=int, help=f"side of the pictures, px; default {SIZE}, and {SIZE_OF_STOPS} for the stop part")
    parser.add_argument("--repeat", type=int, default=5, help="steps of which the median counts; default 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    print(f"Deep image prior, {options.size or SIZE} px\n{machine()}, {torch.get_num_threads()} torch threads, {best_device()}\n")
    made = {part: _PARTS[part](options) for part in options.part or PARTS}
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "size": options.size or SIZE, **made}, indent=1), encoding="utf-8")
    return made


def _speed(options: argparse.Namespace) -> dict[str, Any]:
    """Time one step of each network on one picture."""
    device = best_device()
    noisy = _tensor(gaussian(picture("astronaut", options.size or SIZE), np.random.default_rng(0), 25)).to(device)
    networks: dict[str, Any] = {"published U-Net, AdamW": _published_step(noisy)}
    for name in ("hourglass", "deep_decoder", "zs_n2n"):
        made = recipe("denoise", "balanced", name, 0, Plan(1, 0.0))
        problem = made.problem(Target(noisy), 0, (0,), device)
        optimiser = torch.optim.Adam(problem.network.parameters(), lr=made.plan.rate, fused=True)
        networks[f"talkies {name}"] = _step(lambda problem=problem: problem.loss(0), optimiser)
        networks[f"talkies {name}"].weights = sum(p.numel() for p in problem.network.parameters())
    timed = side_by_side({name: Way(step, 1) for name, step in networks.items()}, options.repeat)
    first = timed["published U-Net, AdamW"]
    rows = [[name, f"{networks[name].weights:,}", f"{t.wall_ms:.0f}", f"{t.cpu_ms:.0f}", f"{first.wall_ms / t.wall_ms:.1f}",
             f"{first.cpu_ms / t.cpu_ms:.1f}"] for name, t in timed.items()]
    print(table(["one step", "weights", "ms", "CPU ms", "times quicker", "by CPU"], rows) + "\n")
    return {name: {"wall_ms": t.wall_ms, "cpu_ms": t.cpu_ms} for name, t in timed.items()}


class _step:  # noqa: N801  # a callable with its number of weights
    def __init__(self, loss: Callable[[], torch.Tensor], optimiser: torch.optim.Optimizer) -> None:
        self._loss, self._optimiser, self.weights = loss, optimiser, 0

    def __call__(self) -> None:
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss()
        loss.backward()
        self._optimiser.step()
        float(loss.detach())


def _published_step(noisy: torch.Tensor) -> _step:
    torch.manual_seed(0)
    network = WideUNet(noisy.shape[1]).to(noisy.device)
    noise = 0.1 * torch.rand(1, 3, *noisy.shape[2:], device=noisy.device)
    optimiser = torch.optim.AdamW(network.parameters(), 0.01, weight_decay=1e-4)
    made = _step(lambda: torch.nn.functional.mse_loss(network(noise), noisy), optimiser)
    made.weights = sum(p.numel() for p in network.parameters())
    return made


def _presets(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Denoise white noise of sigma 25 by each preset, beside BM3D."""
    found = []
    for name in options.picture or PICTURES:
        clean = picture(name, options.size or SIZE)
        noisy = gaussian(clean, np.random.default_rng(1234), 25).astype(np.float32)
        peer = BM3D(sigma=25)
        peer(noisy[None])  # compiled and planned
        cpu = time.process_time()
        filtered = psnr(peer(noisy[None])[0], clean)
        peers = {"bm3d": filtered, "bm3d cpu": time.process_time() - cpu}
        for preset in options.preset or ("fast", "balanced"):
            made = _run(DeepImagePrior(preset=preset, network=options.network), noisy, clean)
            found.append({"picture": name, "preset": preset, "noisy": psnr(noisy, clean), **peers, **made})
            print(f"  {name} {preset}: {made['psnr']:.2f} dB in {made['seconds']:.0f} s, {made['cpu']:.0f} CPU s", flush=True)
    print(table(["picture", "preset", "noisy dB", "dB", "best of", "steps", "s", "CPU s", "peak MB", "BM3D dB", "CPU s"], [
        [f["picture"], f["preset"], f"{f['noisy']:.2f}", f"{f['psnr']:.2f}", str(f["best"]), str(f["iterations"]), f"{f['seconds']:.0f}",
         f"{f['cpu']:.0f}", f"{f['memory'] / 1e6:.0f}", f"{f['bm3d']:.2f}", f"{f['bm3d cpu']:.2f}"] for f in found]) + "\n")
    return found


def _run(operation: DeepImagePrior, frame: Any, clean: Any) -> dict[str, Any]:
    fits: list[Fit] = []
    watched = DeepImagePrior(**{k: v for k, v in operation.to_json().items() if k not in ("op", "holes")}, holes=operation.holes,
                             runtime=Runtime(finished=lambda _, made: fits.append(made)))
    cpu, wall = time.process_time(), time.perf_counter()
    made = watched(frame[None])[0]
    last = fits[-1]
    return {"psnr": psnr(np.clip(made, 0, 1), clean), "best": last.best, "iterations": last.iterations, "ended": last.ended,
            "seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "memory": last.memory}


class _Overfitted(Exception):  # noqa: N818  # it ends a run, and is no error
    pass


def _stop(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fit on until it clearly over-fits, and compare where the rule stops with the best iterate there was.

    A run ends with the balanced preset, or once the rule has stopped and the picture has fallen `CLEARLY` below its best.
    """
    found = []
    device = best_device()
    size = options.size or SIZE_OF_STOPS
    made = recipe("denoise", "balanced", "hourglass", 0, Plan(1, 0.0, WINDOW, patience=10**9))
    for number in options.case if options.case is not None else range(len(CASES)):
        name, fault, strength = CASES[number]
        clean = picture(name, size)
        noisy = fault(clean, np.random.default_rng(number), strength).astype(np.float32)
        seen = _Stops(made.problem(Target(_tensor(noisy).to(device)), number, (0,), device), made.plan, clean)
        cpu = time.process_time()
        with contextlib.suppress(_Overfitted):
            fit(seen.problem, made.plan, device, silent, each_check=seen.look)
        curve, stopped = seen.curve, seen.stopped or (made.plan.every * (seen.rule.lowest + 1), made.plan.iterations)
        found.append({
            "case": f"{name}, {fault.__name__} {strength:g}", "noisy": psnr(noisy, clean), "stopped": stopped[0], "end": stopped[1],
            "psnr": curve[stopped[0] // made.plan.every - 1], "oracle": max(curve),
            "oracle at": made.plan.every * (1 + int(np.argmax(curve))), "last": curve[-1], "run": made.plan.every * len(curve),
            "cpu": time.process_time() - cpu, "variances": seen.rule.variances, "curve": curve})
        print(f"  {found[-1]['case']}: {found[-1]['psnr']:.2f} dB, oracle {found[-1]['oracle']:.2f}", flush=True)
    rows = [[f["case"], f"{f['noisy']:.2f}", f"{f['psnr']:.2f}", str(f["stopped"]), str(f["end"]), f"{f['oracle']:.2f}",
             str(f["oracle at"]), f"{f['last']:.2f}", str(f["run"]), f"{f['oracle'] - f['psnr']:.2f}", f"{f['cpu']:.0f}"] for f in found]
    heads = ["case", "noisy dB", "dB", "of step", "stopped at", "oracle dB", "at step", "last dB", "of step", "short by", "CPU s"]
    print(f"\n{size} px\n" + table(heads, rows))
    near = sum(f["oracle"] - f["psnr"] <= 0.3 for f in found)
    print(f"{near} of {len(found)} within 0.3 dB of the best iterate of {made.plan.iterations} or up to a clear over-fit\n")
    return found


class _Stops:
    """Watches a fit that is run on: where the rule with its own patience stops it, and how good every averaged picture is."""

    def __init__(self, problem: Problem, plan: Plan, clean: Any) -> None:
        self.problem, self.rule, self.stopped = problem, VarianceRule(plan.rule().window, PATIENCE), None
        self.curve: list[float] = []
        self._plan, self._clean = plan, clean

    def look(self, step: int, average: torch.Tensor) -> None:
        self.curve.append(psnr(_array(average), self._clean))
        if self.stopped is None:
            self.rule.add(self.problem.output().clone())
            if self.rule.over and step >= PATIENT_FROM * self._plan.iterations:
                self.stopped = self._plan.every * (self.rule.lowest + 1), step
        elif self.curve[-1] < max(self.curve) - CLEARLY:
            raise _Overfitted


def _inpaint(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fill half of the pixels, lost at random, beside OpenCV's two ways and scikit-image's."""
    found = []
    for name in options.picture or PICTURES:
        clean = picture(name, options.size or SIZE)
        lost = np.random.default_rng(7).random(clean.shape[:2]) < 0.5
        holed = np.where(lost[..., None], 0, clean).astype(np.float32)
        peers = {}
        for way, flag in (("telea", cv2.INPAINT_TELEA), ("navier-stokes", cv2.INPAINT_NS)):
            peers[way] = max(psnr(from_uint8(np.atleast_3d(cv2.inpaint(to_uint8(holed), lost.astype(np.uint8), radius, flag))), clean)
                             for radius in RADII)
        peers["biharmonic"] = psnr(np.clip(inpaint_biharmonic(holed, lost, channel_axis=-1), 0, 1), clean)
        for preset in options.preset or ("fast", "balanced"):
            operation = DeepImagePrior(task="inpaint", preset=preset, network=options.network, holes=Mask(lost[None].astype(np.float32)))
            found.append({"picture": name, "preset": preset, **peers, **_run(operation, holed, clean)})
            print(f"  {name} {preset}: {found[-1]['psnr']:.2f} dB, OpenCV {max(peers['telea'], peers['navier-stokes']):.2f}", flush=True)
    heads = ["half lost", "preset", "Telea dB", "Navier-Stokes dB", "biharmonic dB", "talkies dB", "more than OpenCV", "s", "CPU s"]
    print("\n" + table(heads, [
        [f["picture"], f["preset"], f"{f['telea']:.2f}", f"{f['navier-stokes']:.2f}", f"{f['biharmonic']:.2f}", f"{f['psnr']:.2f}",
         f"{f['psnr'] - max(f['telea'], f['navier-stokes']):+.2f}", f"{f['seconds']:.0f}", f"{f['cpu']:.0f}"] for f in found]) + "\n")
    return found


def _enlarge(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Enlarge what the cubic of `shrinking_kernel` has shrunk, without noise, beside OpenCV's ways and back-projection alone."""
    found = []
    for name in options.picture or PICTURES:
        clean = picture(name, options.size or SIZE)
        for factor in options.factor or (2, 4):
            wanted = _tensor(clean)
            small = Target(wanted, factor=factor).shrunk(wanted)
            given = np.asarray(small[0].permute(1, 2, 0)).astype(np.float32)
            target = Target(small, factor=factor)
            ways = {way: cv2.resize(given, clean.shape[1::-1], interpolation=flag) for way, flag in (
                ("linear", cv2.INTER_LINEAR), ("cubic", cv2.INTER_CUBIC), ("Lanczos", cv2.INTER_LANCZOS4))}
            peers = {way: psnr(np.clip(np.atleast_3d(made), 0, 1), clean) for way, made in ways.items()}
            peers["back-projection"] = psnr(_array(target.matched(target.enlarged(small))), clean)
            for preset in options.preset or ("fast",):
                made = _run(DeepImagePrior(task=f"super_resolve_{factor}x", preset=preset, network=options.network), given, clean)
                found.append({"picture": name, "factor": factor, "preset": preset, **peers, **made})
                print(f"  {name} x{factor} {preset}: {made['psnr']:.2f} dB, Lanczos {peers['Lanczos']:.2f}", flush=True)
    ways = ("linear", "cubic", "Lanczos", "back-projection")
    heads = ["picture", "times", "preset", *(f"{way} dB" for way in ways), "talkies dB", "more than Lanczos", "steps", "s", "CPU s"]
    print("\n" + table(heads, [
        [f["picture"], str(f["factor"]), f["preset"], *(f"{f[way]:.2f}" for way in ways), f"{f['psnr']:.2f}",
         f"{f['psnr'] - f['Lanczos']:+.2f}", str(f["iterations"]), f"{f['seconds']:.0f}", f"{f['cpu']:.0f}"] for f in found]) + "\n")
    return found


def _tensor(frame: Any) -> torch.Tensor:
    return to_image(frame.astype(np.float32)).permute(2, 0, 1)[None].contiguous()


def _array(picture: torch.Tensor) -> Any:
    return np.asarray(picture[0].permute(1, 2, 0).clamp(0, 1).cpu())


_PARTS = {"speed": _speed, "presets": _presets, "stop": _stop, "inpaint": _inpaint, "enlarge": _enlarge}
