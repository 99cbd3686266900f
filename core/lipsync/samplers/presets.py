"""Samplers by name."""
from __future__ import annotations

from typing import Literal, get_args

from .adams import Adams
from .base import Sampler
from .ddim import Ddim
from .dpm_solver import DpmSolver2M, DpmSolver3M, DpmSolverSingle
from .grids import Spacing, grid
from .unipc import UniPC

Preset = Literal["fast", "balanced", "high", "ultra"]
SamplerName = Literal["adams", "ddim", "dpm_2m", "dpm_3m", "dpm_2s", "dpm_3s", "unipc_2", "unipc_3"]

EVALUATIONS: dict[Preset, int] = {"fast": 10, "balanced": 25, "high": 50, "ultra": 100}
"""Evaluations of the network a frame; with DDIM these are the published qualities. `auto` is not among them: see `auto.plan`."""


def preset(name: Preset) -> Ddim:
    """Give the published sampler of a quality: ddim10, ddim25, ddim50 or ddim100.

    Raises:
        ValueError: no such quality.
    """
    if name not in EVALUATIONS:
        raise ValueError(f"The preset is {name!r}; it must be one of {', '.join(EVALUATIONS)}.")
    return Ddim.spaced(f"ddim{EVALUATIONS[name]}")


def sampler(name: SamplerName, evaluations: int, spacing: Spacing = "sqrt_t") -> Sampler:
    """Give a sampler of so many evaluations a frame.

    Args:
        name: which.
        evaluations: 2 to 1000.
        spacing: how they are spread. DDIM has its own spacing and only some counts.

    Raises:
        ValueError: no such sampler.
        ScheduleError: that many cannot be spread.
    """
    if name not in get_args(SamplerName):
        raise ValueError(f"The sampler is {name!r}; it must be one of {', '.join(get_args(SamplerName))}.")
    if name == "ddim":
        return Ddim.spaced(f"ddim{evaluations}")
    timesteps = grid(spacing, evaluations)
    if name in ("dpm_2s", "dpm_3s"):
        return DpmSolverSingle(timesteps, order=int(name[-2]))
    if name in ("unipc_2", "unipc_3"):
        return UniPC(timesteps, order=int(name[-1]))
    if name == "adams":
        return Adams(timesteps)
    return DpmSolver2M(timesteps) if name == "dpm_2m" else DpmSolver3M(timesteps)
