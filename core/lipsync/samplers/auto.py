"""A sampler fitted to the clip: a pilot walk on a few of its frames decides how many evaluations are needed, and where.

The pilot shows how the believed picture moves over the timesteps. From that alone, without asking the network again, follow where a
given number of evaluations should lie, and by how much two orders would differ at each of the steps between them. The fewest that keep
that estimate under the bound are then used for every frame, so the result of a frame depends on the pilot and on that frame only, and
not on how a clip was cut. A frame whose own estimate comes out above the bound is walked again with a timestep put into every gap.

The estimate sees how smoothly the believed picture moves. It cannot see a walk that decides for another picture altogether.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...progress import Progress, part, silent
from .adams import Adams
from .base import Denoise, Level, Sampled, Step, Watch
from .grids import distinct, equidistributed, grid, log_snrs
from .integration import belief_weights

PILOT_EVALUATIONS = 40
FEWEST, MOST = 6, 50
BOUND = 0.05
"""Default bound of the estimate: rms over the mouth region, in pictures of -1..1. It estimates the predictor; the corrected result has been
found three times nearer (benchmarks/lips.py)."""

ORDER = 3
_EVEN = 0.4  # share of the evaluations spread evenly in the square root of t, whatever the pilot says
_REFINEMENTS = 2


@dataclass(frozen=True)
class Plan:
    """What the pilot decided.

    Attributes:
        sampler: the sampler for every frame.
        bound: the error estimate asked for, rms over the region.
        predicted: the estimate at these timesteps, on the worst pilot frame.
        pilot_evaluations: what the pilot cost, a pilot frame.
    """

    sampler: Adams
    bound: float
    predicted: float
    pilot_evaluations: int

    @property
    def kept(self) -> bool:
        """Say whether the prediction is within the bound; it may not be when even the most evaluations do not reach it."""
        return self.predicted <= self.bound

    def to_text(self) -> str:
        """Say in one line what was chosen."""
        kept = "within" if self.kept else "above"
        steps = ", ".join(map(str, self.sampler.timesteps))
        return (f"auto: {self.sampler.evaluations} evaluations a frame at t = {steps}; estimated error {self.predicted:.4f}, {kept} the "
                f"bound {self.bound:g} (pilot: {self.pilot_evaluations} evaluations a pilot frame)")


def plan(
    denoise: Denoise,
    noise: Tensor,
    bound: float = BOUND,
    region: Tensor | None = None,
    pilot_evaluations: int = PILOT_EVALUATIONS,
    progress: Progress = silent,
    watch: Watch | None = None,
) -> Plan:
    """Walk a few pilot pictures finely and choose timesteps for all.

    Args:
        denoise: the network, for the pilot pictures.
        noise: ``[N,...]``, their start; a handful spread over the clip.
        bound: for the error estimate of a picture: rms over the region, -1..1.
        region: spreads to the pictures' shape; 1 where the estimate looks (the mouth). Everywhere if None.
        pilot_evaluations: how finely to walk, at least 12.
        progress: told after every evaluation.
        watch: shown the believed pilot pictures.

    Raises:
        ValueError: the bound is not above 0, or the pilot too coarse.
    """
    if not bound > 0 or pilot_evaluations < 12:
        raise ValueError(f"The bound is {bound}, the pilot has {pilot_evaluations} evaluations; wanted are a bound above 0, at least 12.")
    seen: list[Tensor] = []

    def note(step: Step) -> None:
        seen.append(step.clean.double().cpu())
        if watch:
            watch(step)

    timesteps = grid("sqrt_t", pilot_evaluations)
    Adams(timesteps, ORDER).sample(denoise, noise, progress, note, region)
    path = _Path(timesteps, seen, None if region is None else region.expand_as(noise).double().cpu())
    density = path.density()
    chosen, predicted = timesteps, math.inf
    for count in range(FEWEST, MOST + 1):
        chosen = equidistributed(timesteps[::-1], density, count)
        predicted = path.error(chosen)
        if predicted <= bound:
            break
    return Plan(Adams(chosen, ORDER), bound, predicted, pilot_evaluations)


def sample_within(
    chosen: Plan,
    denoise_rows: Callable[[Tensor], Denoise],
    noise: Tensor,
    progress: Progress = silent,
    watch: Watch | None = None,
    region: Tensor | None = None,
) -> tuple[Sampled, Tensor]:
    """Walk pictures as planned, and those whose own estimate is above the bound again, more finely, at most twice.

    Args:
        chosen: the plan.
        denoise_rows: gives the network for some of the pictures, by their places in the batch.
        noise: ``[N,...]``.
        progress: told after every evaluation; a repetition counts as a further part of the job.
        watch: shown the believed pictures of the first walk.
        region: as in `plan`.

    Returns:
        The pictures (`evaluations` being those of the first walk), and ``[N]`` how many evaluations each took in all.
    """
    everyone = torch.arange(len(noise), device=noise.device)
    sampler = chosen.sampler
    made = sampler.sample(denoise_rows(everyone), noise, progress, watch, region)
    clean, error, spent = made.clean, made.error, torch.full((len(noise),), made.evaluations, device=noise.device)
    for turn in range(_REFINEMENTS):
        again = everyone[error > chosen.bound]
        if not len(again):
            break
        sampler = replace(sampler, timesteps=refined(sampler.timesteps))
        where = None if region is None else region.expand_as(noise)[again]
        better = sampler.sample(denoise_rows(again), noise[again], part(progress, turn + 1, turn + 2), None, where)
        clean, error = clean.index_copy(0, again, better.clean), error.index_copy(0, again, better.error)
        spent[again] += better.evaluations
    return Sampled(clean, made.evaluations, error), spent


def refined(timesteps: tuple[int, ...]) -> tuple[int, ...]:
    """Put a timestep half-way into every gap that has room."""
    roots = np.sqrt(np.array(timesteps, np.float64))
    between = np.rint(((roots[1:] + roots[:-1]) / 2) ** 2)
    return distinct(np.array(sorted({*map(float, timesteps), *map(float, between)}, reverse=True)))


class _Path:
    """How the believed picture of some pilots moves over the timesteps: all that is needed are its inner products."""

    def __init__(self, timesteps: tuple[int, ...], beliefs: list[Tensor], region: Tensor | None) -> None:
        self.timesteps = np.array(timesteps[::-1], np.float64)  # ascending
        stacked = torch.stack(beliefs[::-1], dim=1).flatten(2)  # pilot, timestep, value
        if region is not None:
            weight = region.flatten(1)
            stacked = stacked * (weight / weight.sum(1, keepdim=True).clamp(min=1e-12)).sqrt()[:, None]
        else:
            stacked = stacked / math.sqrt(stacked.shape[2])
        self.products = np.array((stacked @ stacked.transpose(1, 2)).tolist())  # a small square for each pilot
        self.log_snrs = log_snrs()
        self.signals = 1 / (1 + np.exp(-2 * self.log_snrs))

    def size(self, combination: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the rms of a combination of the beliefs, for each pilot."""
        squares = np.einsum("i,pij,j->p", combination, self.products, combination)
        sizes: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0))
        return sizes

    def density(self) -> NDArray[np.float64]:
        """Say how densely evaluations should lie: the fourth root of the local error of third-order steps, smoothed, plus an even share."""
        count = len(self.timesteps)
        rates: NDArray[np.float64] = np.eye(count)
        for _ in range(ORDER):
            rates = np.asarray(np.gradient(rates, self.timesteps, axis=0))
        own = [int(t) for t in self.timesteps]
        per_step = np.gradient(-self.log_snrs[own], self.timesteps)
        damping = np.array([Level.of(float(self.signals[t])).damping for t in own])
        worst = np.array([np.sqrt((self.size(rates[i]) ** 2).mean()) for i in range(count)])
        wanted = (damping * per_step * worst) ** (1 / (ORDER + 1))
        wanted = np.convolve(np.pad(wanted, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
        even: NDArray[np.float64] = np.asarray(np.gradient(np.sqrt(self.timesteps + 1), self.timesteps))
        total = _area(wanted, self.timesteps)
        if total <= 0:  # a picture that never moves
            return even
        return (1 - _EVEN) * wanted / total + _EVEN * even / _area(even, self.timesteps)

    def error(self, timesteps: tuple[int, ...]) -> float:
        """Predict the error estimate of a walk over these timesteps, on the worst pilot.

        A step counts with what its corrector would change, or with how far the pilot shows its prediction to go wrong, whichever is more.
        """
        squares = np.zeros(len(self.products))
        seen = {t: self._at(t) for t in timesteps}
        for i in range(len(timesteps) - 1):
            last, end = timesteps[max(i + 1 - ORDER, 0) : i + 1][::-1], timesteps[i + 1]
            level = Level.of(float(self.signals[end]))
            predicted = self._gone(last[0], last, seen, end)
            wrong = self.size(predicted - self._truly_gone(last[0], end))
            doubt = self.size(predicted - self._gone(last[0], (end, *last), seen, end))
            squares += (np.maximum(wrong, doubt) * level.sigma / level.alpha * level.damping) ** 2
        return float(np.sqrt(squares.max()))

    def _gone(self, start: int, nodes: tuple[int, ...], seen: dict[int, NDArray[np.float64]], end: int) -> NDArray[np.float64]:
        """Give what a step adds by the polynomial through the beliefs at some timesteps, as a combination of the pilot's."""
        weights = belief_weights(tuple(float(self.log_snrs[t]) for t in nodes), self.log_snrs[start], self.log_snrs[end], "t")
        total: NDArray[np.float64] = np.sum([w * seen[t] for w, t in zip(weights, nodes, strict=True)], axis=0)
        return total

    def _truly_gone(self, start: int, end: int) -> NDArray[np.float64]:
        """Give what the same step adds by the pilot's own beliefs, joined by lines."""
        stops = (start, *(int(t) for t in self.timesteps[::-1] if end < t < start), end)
        pieces = [self._gone(pair[0], pair, {t: self._at(t) for t in pair}, pair[1]) for pair in pairwise(stops)]
        total: NDArray[np.float64] = np.sum(pieces, axis=0)
        return total

    def _at(self, timestep: int) -> NDArray[np.float64]:
        """Give the combination of beliefs that stands for a timestep between them: along a line."""
        return np.array([np.interp(timestep, self.timesteps, row) for row in np.eye(len(self.timesteps))])


def _area(values: NDArray[np.float64], places: NDArray[np.float64]) -> float:
    return float(((values[1:] + values[:-1]) / 2 * np.diff(places)).sum())
