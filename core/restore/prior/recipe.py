"""Recipes: which network, how wide and how long, for each task and preset."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import pad

from ..bm3d.profile import FAST, QUALITY
from .finish import Finish
from .fit import Plan
from .networks import Architecture, DeepDecoder, Hourglass, TwoLayers
from .problems import SMALLEST, Drawing, Pairing, Problem
from .target import Target

Task = Literal["denoise", "inpaint", "super_resolve_2x", "super_resolve_4x", "artefacts"]
Preset = Literal["fast", "balanced", "thorough"]

FACTORS = {"super_resolve_2x": 2, "super_resolve_4x": 4}
"""How many times larger a task makes the picture, where it does."""

WARM_SHARE = 0.25
"""Iterations of a frame that starts from the one before, as a share of what a frame from nothing gets."""

_JITTER = {"denoise": 0.01, "artefacts": 0.01, "inpaint": 0.01, "super_resolve_2x": 0.01, "super_resolve_4x": 0.01}
_RATE = {"hourglass": 0.01, "deep_decoder": 0.01, "zs_n2n": 0.005}
_CROP = 96
_INPUTS = 16  # channels that the hourglass draws from
_SPREAD = 0.1  # the fixed noise is uniform from 0 to this


@dataclass(frozen=True)
class Recipe:
    """A network and how it is fitted.

    Attributes:
        network: which.
        widths: channels of the hourglass's levels, the finest first; of the others the first alone counts.
        plan: how the fit is run.
        jitter: of the noise that the picture is drawn from.
        second: another network, whose picture is averaged with this one's where the noise is white.
        finish: what comes after the fit where holes are filled or the picture is enlarged.
    """

    network: Architecture
    widths: tuple[int, ...]
    plan: Plan
    jitter: float
    second: Recipe | None = None
    finish: Finish | None = None

    def problem(self, target: Target, seed: int, place: tuple[int, ...], device: torch.device) -> Problem:
        """Make the network and put it to the target.

        Args:
            target: on the device.
            seed: of the weights and of the noise that the picture is drawn from.
            place: what else the steps' randomness depends on, e.g. the frame's index.
            device: where to compute; weights and noise are made on the CPU, so that they are the same everywhere.
        """
        fixed = torch.Generator().manual_seed(seed)
        at_step = device if self.network != "zs_n2n" else torch.device("cpu")
        steps = torch.Generator(at_step).manual_seed(mixed_seed(seed, *place))
        if self.network == "zs_n2n":
            small = seeded(lambda: TwoLayers(target.channels, self.widths[0]), seed)
            return Pairing(small.to(device, memory_format=torch.channels_last), target, _CROP, steps)  # type: ignore[call-overload]
        if self.network == "deep_decoder":
            network: nn.Module = seeded(lambda: DeepDecoder(target.channels, self.widths[0], self.widths[0]), seed)
            shrink, channels, jitter = 32, self.widths[0], 0.0
        else:
            network = seeded(lambda: Hourglass(target.channels, _INPUTS, self.widths), seed)
            # What is enlarged is drawn from the picture that is there as well: from noise alone its detail takes thousands of steps.
            shrink, channels, jitter = 1, _INPUTS - (target.channels if target.factor > 1 else 0), self.jitter
        multiple = int(network.multiple)  # type: ignore[arg-type]
        height, width = (max(SMALLEST, -(-side // multiple) * multiple) // shrink for side in target.size)
        noise = torch.rand((1, height, width, channels), generator=fixed) * _SPREAD
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        drawing = Drawing(network, noise.to(device).permute(0, 3, 1, 2), target, jitter, steps)
        if self.network == "hourglass" and target.factor > 1:
            rough = target.enlarged(target.picture)
            beyond = noise.shape[2] - rough.shape[3], noise.shape[1] - rough.shape[2]
            drawing.guide = pad(rough, (0, beyond[0], 0, beyond[1]), mode="replicate").contiguous(memory_format=torch.channels_last)
        return drawing


def recipe(
    task: Task, preset: Preset, network: Literal["auto", "hourglass", "deep_decoder", "zs_n2n"], iterations: int, plan: Plan,
    even: bool = True,
) -> Recipe:
    """Choose a recipe.

    Args:
        task: what is wanted.
        preset: how much time may be spent.
        network: ``auto`` takes zs_n2n for a fast denoise, and the hourglass for everything else: averaged with zs_n2n for a longer
            denoise, finished with BM3D where holes are filled or the picture is enlarged. Any other is that network alone.
        iterations: 0 for the preset's.
        plan: its window, patience and time limit are kept.
        even: whether errors count squared, and alike in brightness and colour; zs_n2n knows no other way, so otherwise it is left out.
    """
    if network != "auto":
        return _alone(task, preset, network, iterations, plan)
    if task == "denoise" and preset == "fast":
        return _alone(task, preset, "zs_n2n", iterations, plan)
    made = _alone(task, preset, "hourglass", iterations, plan)
    if task == "inpaint" or task in FACTORS:
        return replace(made, finish=_FINISHES[preset])
    if task == "denoise" and even:
        return replace(made, second=_alone(task, "balanced" if preset == "thorough" else "fast", "zs_n2n", iterations, plan))
    return made


def _alone(task: Task, preset: Preset, network: Architecture, iterations: int, plan: Plan) -> Recipe:
    count, widths = _SIZES[network][preset]
    pairs = network == "zs_n2n"
    made = Plan(iterations or count, _RATE[network], pairs, plan.window, plan.patience, plan.seconds, 50 if pairs else 10)
    return Recipe(network, widths, made, _JITTER[task])


_SIZES: dict[Architecture, dict[Preset, tuple[int, tuple[int, ...]]]] = {
    "hourglass": {
        "fast": (500, (16, 32, 64, 64, 64)),
        "balanced": (1500, (16, 32, 64, 64, 64)),
        "thorough": (3000, (32, 64, 96, 96, 96)),
    },
    "deep_decoder": {"fast": (500, (48,)), "balanced": (1500, (64,)), "thorough": (4000, (96,))},
    "zs_n2n": {"fast": (1200, (48,)), "balanced": (2400, (48,)), "thorough": (4000, (64,))},
}
"""Iterations and widths."""

_FINISHES: dict[Preset, Finish] = {"fast": Finish(FAST, 30), "balanced": Finish(QUALITY, 40), "thorough": Finish(QUALITY, 80)}


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Make a network with weights that depend on the seed alone, and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def mixed_seed(*numbers: int) -> int:
    """Mix whole numbers, 0 or more, into one seed of 63 bits."""
    seed = 0
    for number in numbers:
        # The finaliser of splitmix64: neighbours in, strangers out.
        seed = (seed ^ number) + 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        seed = (seed ^ seed >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        seed ^= seed >> 31
    return seed >> 1
