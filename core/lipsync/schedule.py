"""The noise schedule that the network was trained on, and which of its 1000 timesteps a run uses.

Sources: Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", 2020 (linear betas); Nichol and Dhariwal, "Improved
Denoising Diffusion Probabilistic Models", 2021 (keeping some timesteps of a longer schedule).
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRAINED_STEPS = 1000
_BETA_FIRST, _BETA_LAST = 1e-4, 0.02


class ScheduleError(ValueError):
    """A choice of timesteps that the schedule cannot give; the message says why and what would work."""


def trained_signal() -> NDArray[np.float64]:
    """Give the share of signal variance left at each of the 1000 trained timesteps (alpha-bar), falling from 0.9999 to 4e-5."""
    signal: NDArray[np.float64] = np.cumprod(1.0 - np.linspace(_BETA_FIRST, _BETA_LAST, TRAINED_STEPS), dtype=np.float64)
    return signal


@dataclass(frozen=True)
class Schedule:
    """The timesteps of a run, ascending, and the signal left at each (float64).

    The network is always given the trained timesteps themselves (such as 960), never their places in the run.

    Attributes:
        timesteps: strictly ascending, within 0..999.
        signal: alpha-bar at each timestep. As in the published sampler it comes out of the betas of the run, multiplied up again.
    """

    timesteps: tuple[int, ...]
    signal: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.timesteps)

    @property
    def previous_signal(self) -> NDArray[np.float64]:
        """Give the signal that each step leads to; 1 (no noise) for the last one taken."""
        return np.append(1.0, self.signal[:-1])


def schedule(timesteps: tuple[int, ...]) -> Schedule:
    """Give the schedule that keeps these trained timesteps.

    Args:
        timesteps: any order, each within 0..999, none twice.

    Raises:
        ScheduleError: none, out of range, or one of them twice.
    """
    kept = tuple(sorted(timesteps))
    if not kept or kept[0] < 0 or kept[-1] >= TRAINED_STEPS or len(set(kept)) < len(kept):
        raise ScheduleError(f"The timesteps are {list(timesteps)}; wanted is at least one, each within 0..{TRAINED_STEPS - 1}, none twice.")
    base = trained_signal()[list(kept)]
    betas = 1 - base / np.append(1.0, base[:-1])
    return Schedule(kept, np.cumprod(1.0 - betas))


def respaced(spacing: str) -> Schedule:
    """Give the schedule that a spacing string stands for.

    Args:
        spacing: ``"ddimN"``: every s-th timestep from 0 on, with the smallest whole s that gives N of them;
            ``"N"``: N timesteps spread from the first to the last; ``"a,b,c"``: that in each of three equal parts of the 1000.

    Raises:
        ScheduleError: not such a string, or no stride gives N timesteps.
    """
    text = spacing.strip()
    counts = text.removeprefix("ddim").split(",")
    if not all(c.strip().isdecimal() for c in counts) or (text.startswith("ddim") and len(counts) > 1):
        raise ScheduleError(f'The spacing is {spacing!r}; it must be such as "ddim25", "25" or "10,10,5".')
    if text.startswith("ddim"):
        return schedule(_strided(int(counts[0])))
    return schedule(_sectioned([int(c) for c in counts]))


def _strided(count: int) -> tuple[int, ...]:
    for stride in range(1, TRAINED_STEPS):
        steps = range(0, TRAINED_STEPS, stride)
        if len(steps) == count:
            return tuple(steps)
    near = sorted({len(range(0, TRAINED_STEPS, s)) for s in range(1, TRAINED_STEPS)}, key=lambda n: abs(n - count))[:2]
    raise ScheduleError(f"No whole stride over {TRAINED_STEPS} timesteps gives {count} of them; the nearest counts are {sorted(near)}.")


def _sectioned(counts: list[int]) -> tuple[int, ...]:
    steps: list[int] = []
    start = 0
    for section, count in enumerate(counts):
        size = TRAINED_STEPS // len(counts) + (section < TRAINED_STEPS % len(counts))
        if not 1 <= count <= size:
            raise ScheduleError(f"A part of {size} timesteps cannot give {count} of them; ask for 1 to {size}.")
        stride = (size - 1) / (count - 1) if count > 1 else 1.0
        place = 0.0
        for _ in range(count):
            steps.append(start + round(place))
            place += stride  # added up rather than multiplied, to round as the published spacing does
        start += size
    return tuple(steps)


def log_snr(signal: float) -> float:
    """Give half the log of the signal-to-noise ratio, ln(alpha / sigma); infinite where there is no noise."""
    return math.inf if signal >= 1 else 0.5 * (math.log(signal) - math.log1p(-signal))
