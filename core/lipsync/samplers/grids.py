"""Which timesteps to ask the network at: descending, distinct, from pure noise (999) to the cleanest trained one (0).

Even in t is what DDIM's spacings are; at few evaluations it is the worst of all. Even in the log of the signal-to-noise ratio is the
choice of Lu et al., "DPM-Solver", 2022; even in the square root of t asks more often where a face takes its shape.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..schedule import TRAINED_STEPS, ScheduleError, trained_signal

Spacing = Literal["sqrt_t", "log_snr", "t"]

_LAST = TRAINED_STEPS - 1


def grid(spacing: Spacing, count: int) -> tuple[int, ...]:
    """Give `count` timesteps (2..1000) spread evenly in the square root of t, in the log of the signal-to-noise ratio, or in t.

    Raises:
        ScheduleError: fewer than 2 or more than 1000.
    """
    if not 2 <= count <= TRAINED_STEPS:
        raise ScheduleError(f"{count} evaluations are asked for; 2 to {TRAINED_STEPS} can be spread over the timesteps.")
    if spacing == "log_snr":
        levels = log_snrs()
        return distinct(np.interp(np.linspace(levels[-1], levels[0], count), levels[::-1], np.arange(_LAST, -1, -1.0)))
    power = 0.5 if spacing == "sqrt_t" else 1.0
    return distinct(np.linspace(_LAST**power, 0, count) ** (1 / power))


def equidistributed(timesteps: Sequence[int], density: NDArray[np.float64], count: int) -> tuple[int, ...]:
    """Give `count` timesteps that lie as densely as a density says (de Boor, "Good approximation by splines with variable knots", 1973).

    Args:
        timesteps: ascending, where the density is known; the first is 0, the last 999.
        density: at those, > 0, of any scale.
        count: how many, 2..1000.
    """
    places = np.array(timesteps, np.float64)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(places))])
    return distinct(np.interp(np.linspace(below[-1], 0, count), below, places))


def distinct(places: NDArray[np.float64]) -> tuple[int, ...]:
    """Round descending places (0..999) to whole timesteps, pushing apart those that meet."""
    steps = [int(s) for s in np.clip(np.rint(places), 0, _LAST)]
    for i in range(len(steps) - 2, -1, -1):
        steps[i] = max(steps[i], steps[i + 1] + 1)
    for i, most in enumerate(range(_LAST, _LAST - len(steps), -1)):
        steps[i] = min(steps[i], most)
    return tuple(steps)


def log_snrs() -> NDArray[np.float64]:
    """Give ln(alpha / sigma) at each of the 1000 trained timesteps, descending from 4.6 to -5.1."""
    signal = trained_signal()
    levels: NDArray[np.float64] = 0.5 * (np.log(signal) - np.log1p(-signal))
    return levels
