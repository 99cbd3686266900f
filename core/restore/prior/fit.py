"""Fitting: the loop that every network goes through, which stops by itself and gives the averaged picture of the calmest moment."""
from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ...progress import Progress
from .memory import PeakMemory
from .problems import Problem
from .stopping import PATIENCE, WINDOW, VarianceRule

_log = logging.getLogger(__name__)

Ended = Literal["variance", "iterations", "time"]

Weights = dict[str, torch.Tensor]

PREVIEW_PERIOD = 1.0
"""Seconds from one preview to the next."""

PATIENT_FROM = 0.2
"""Share of the iterations before which no fit stops: the variance of the first strokes has minima of its own."""


class FitError(RuntimeError):
    """A fit that went to infinity in float32 too."""


@dataclass(frozen=True)
class Plan:
    """How a fit is run.

    Attributes:
        iterations: the most steps.
        rate: Adam's learning rate.
        decay: whether the rate falls along a cosine (it must not where the variance is to be trusted).
        window: checks that the variance is taken over; half of all checks where that is fewer.
        patience: checks without a new low after which it stops.
        seconds: the most time, 0 for no limit. With a limit the result depends on the machine's speed.
        every: iterations from one check to the next.
    """

    iterations: int
    rate: float
    decay: bool = False
    window: int = WINDOW
    patience: int = PATIENCE
    seconds: float = 0.0
    every: int = 10

    def rule(self) -> VarianceRule:
        """Give the rule that stops it, at its beginning."""
        return VarianceRule(min(self.window, max(2, self.iterations // self.every // 2)), self.patience)


@dataclass(frozen=True, eq=False)
class Fit:
    """What came of a fit.

    Attributes:
        picture: ``[1,C,H,W]`` float32 on the CPU: the averaged output where the variance was lowest.
        weights: the network's, at that moment, for a warm start.
        best: the iteration that the picture is of.
        iterations: how many were run.
        ended: what ended it: the variance rule, the count, or the time limit.
        losses: the training loss at every check.
        variances: the windowed variance at every check, NaN before the window was full.
        seconds: how long it took.
        memory: peak beyond what was there before, bytes; NaN where it cannot be told.
        precision: what it ended in, e.g. ``float32``.
        fell_back: whether half precision gave NaN, so that float32 took over.
        afterwards: what was done to the picture after the fit, for people; empty for nothing.
    """

    picture: torch.Tensor
    weights: Weights
    best: int
    iterations: int
    ended: Ended
    losses: tuple[float, ...]
    variances: tuple[float, ...]
    seconds: float
    memory: float
    precision: str
    fell_back: bool
    afterwards: str = ""


@dataclass(frozen=True, eq=False)
class Moment:
    """A fit under way.

    Attributes:
        picture: ``[1,C,H,W]``: the averaged output as it is now.
        best: the iteration that was calmest so far, 0 while the window is not full.
        iterations: how many were run.
        most: how many there are at most.
        losses: as in `Fit`, so far.
        variances: as in `Fit`, so far.
        seconds: since it began.
    """

    picture: torch.Tensor
    best: int
    iterations: int
    most: int
    losses: tuple[float, ...]
    variances: tuple[float, ...]
    seconds: float


Watch = Callable[[Moment], None]
"""Told how the fit stands, about once a second. It cannot change the fit."""


def fit(
    problem: Problem, plan: Plan, device: torch.device, progress: Progress, half: torch.dtype | None = None, watch: Watch | None = None,
    each_check: Callable[[int, torch.Tensor], None] | None = None,
) -> Fit:
    """Fit a network.

    Args:
        problem: the network, on the device already, and what it is asked for.
        plan: how long and how fast.
        device: where it computes.
        progress: called three times an iteration with the iterations done, so that a cancel never waits long.
        half: float16 or bfloat16 to compute in where that is safe; None for float32.
        watch: told how it stands on the way.
        each_check: shown the averaged picture at every check; for measurements.

    Raises:
        FitError: the loss is not finite, in float32.
    """
    # ComfyUI runs its nodes in inference mode, in which nothing can be fitted.
    with torch.inference_mode(False), torch.enable_grad():
        return _Run(problem, plan, device, progress, half, watch, each_check).all()


class _Run:
    """One fit under way."""

    def __init__(
        self, problem: Problem, plan: Plan, device: torch.device, progress: Progress, half: torch.dtype | None, watch: Watch | None,
        each_check: Callable[[int, torch.Tensor], None] | None,
    ) -> None:
        self._problem, self._plan, self._device, self._progress = problem, plan, device, progress
        self._half, self._watch, self._each_check = half, watch, each_check
        self._rule = plan.rule()
        self._losses: list[float] = []
        self._fell_back = False
        self._safe = copy.deepcopy(problem.network.state_dict())
        self._start_optimiser()

    def _start_optimiser(self) -> None:
        weights = list(self._problem.network.parameters())
        self._optimiser = torch.optim.Adam(weights, lr=self._plan.rate, fused=True)
        # float16 has no room for small gradients; bfloat16 has, and scaling does it no harm.
        scaler: Any = torch.amp.GradScaler  # torch leaves it untyped
        self._scaler = scaler(self._device.type, enabled=self._half is not None)

    def all(self) -> Fit:
        plan, problem = self._plan, self._problem
        started = shown = time.monotonic()
        memory = PeakMemory(self._device)
        best, picture, weights = 0, None, self._safe
        ended: Ended = "iterations"
        step = 0
        while step < plan.iterations:
            loss = self._step(step)
            step += 1
            if step % plan.every == 0 or step == plan.iterations:
                memory.look()
                if not self._is_sound(loss):
                    step = best = 0
                    picture = None
                    continue
                average = None
                if self._rule.add(problem.output().clone()) or picture is None:
                    average = picture = problem.average()
                    best, weights = step, copy.deepcopy(problem.network.state_dict())
                if self._each_check is not None:
                    self._each_check(step, problem.average() if average is None else average)
                if self._rule.over and step >= PATIENT_FROM * plan.iterations:
                    ended = "variance"
                    break
            now = time.monotonic()
            if self._watch is not None and now - shown >= PREVIEW_PERIOD:
                shown = now
                calmest = best if self._rule.lowest >= 0 else 0
                self._watch(Moment(
                    problem.average(), calmest, step, plan.iterations, tuple(self._losses), self._variances(), now - started))
            if plan.seconds and now - started >= plan.seconds:
                ended = "time"
                break
        self._progress(plan.iterations, plan.iterations)
        if picture is None or self._rule.lowest < 0:  # too short a fit for the variance to speak
            best, picture, weights = step, problem.average(), copy.deepcopy(problem.network.state_dict())
        return Fit(
            picture.float().cpu(), weights, best, step, ended, tuple(self._losses), self._variances(),
            time.monotonic() - started, memory.beyond, str(self._half or torch.float32).removeprefix("torch."), self._fell_back)

    def _variances(self) -> tuple[float, ...]:
        """Give the variance at every check, NaN before the window was full."""
        found = self._rule.variances
        return (*(math.nan for _ in range(len(self._losses) - len(found))), *found)

    def _step(self, step: int) -> torch.Tensor:
        plan, problem = self._plan, self._problem

        def tell() -> None:
            self._progress(step, plan.iterations)

        if plan.decay:
            rate = plan.rate * min(1.0, (step + 1) / 20) * (0.505 + 0.495 * math.cos(math.pi * step / plan.iterations))
            for group in self._optimiser.param_groups:
                group["lr"] = rate
        tell()
        with torch.autocast(self._device.type, dtype=self._half, enabled=self._half is not None):
            loss = problem.loss(step)
        tell()
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        tell()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        problem.keep_average(step)
        return loss.detach()

    def _is_sound(self, loss: torch.Tensor) -> bool:
        """Note the loss. Where it, or a weight, is not finite, go back to where the fit began, in float32.

        Raises:
            FitError: it is in float32 already.
        """
        value = float(loss)
        if math.isfinite(value) and all(bool(torch.isfinite(p).all()) for p in self._problem.network.parameters()):
            self._losses.append(value)
            return True
        if self._half is None:
            raise FitError(f"DeepImagePrior: the fit went to infinity after {len(self._losses) * self._plan.every} iterations. "
                           "Choose another seed or network, or the squared loss.")
        _log.warning("DeepImagePrior: %s gave values that are no numbers; the fit starts again in float32.", self._half)
        self._half, self._fell_back = None, True
        self._losses, self._rule = [], self._plan.rule()
        self._problem.network.load_state_dict(self._safe)
        self._problem.forget_average()
        self._start_optimiser()
        return False
