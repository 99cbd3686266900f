"""DPM-Solver++ (Lu, Zhou, Bao, Chen, Li and Zhu, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models", 2022).

All variants work on the believed picture and over the log of the signal-to-noise ratio.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...progress import Progress, silent
from .base import Belief, Denoise, Level, Multistep, Sampled, Sampler, Step, Watch, rms
from .integration import step


@dataclass(frozen=True)
class DpmSolver2M(Multistep):
    """Second-order multistep, the paper's algorithm 2."""

    @property
    def memory(self) -> int:
        """Read two answers."""
        return 2

    @property
    def estimates(self) -> bool:
        """Estimate by the first order."""
        return True

    def advanced(self, x: Tensor, beliefs: Sequence[Belief], level: Level) -> tuple[Tensor, Tensor | None]:
        """Take one step; the first one is of first order."""
        now = beliefs[0]
        length = level.log_snr - now.level.log_snr
        reach = -level.alpha * math.expm1(-length)
        ahead = x * (level.sigma / now.level.sigma) + reach * now.clean
        if len(beliefs) < 2:
            return ahead, None
        ratio = (now.level.log_snr - beliefs[1].level.log_snr) / length
        change = (now.clean - beliefs[1].clean) * (reach / (2 * ratio))
        return ahead + change, change


@dataclass(frozen=True)
class DpmSolver3M(Multistep):
    """Third-order multistep: the exact integral of the parabola through the last three answers."""

    @property
    def memory(self) -> int:
        """Read three answers."""
        return 3

    @property
    def estimates(self) -> bool:
        """Estimate by the order below."""
        return True

    def advanced(self, x: Tensor, beliefs: Sequence[Belief], level: Level) -> tuple[Tensor, Tensor | None]:
        """Take one step; the first two are of lower order."""
        start = beliefs[0].level
        ahead = step(x, start, beliefs, level, "log_snr")
        return ahead, None if len(beliefs) < 2 else ahead - step(x, start, beliefs[:-1], level, "log_snr")


@dataclass(frozen=True)
class DpmSolverSingle(Sampler):
    """Single-step, order 2 or 3: every step asks the network anew, at places in between that it then forgets.

    The timesteps are taken in groups of `order`: where a step starts, then its places in between. Those left over at the end make
    shorter groups, of lower order. Between two starts the places in between lie at a half (order 2), or at one and two thirds (order 3)
    of the log-SNR, as near as whole timesteps allow when the timesteps come from a log-SNR grid.
    """

    order: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in (2, 3):
            raise ValueError(f"DpmSolverSingle has order 2 or 3, not {self.order}.")

    def sample(
        self, denoise: Denoise, noise: Tensor, progress: Progress = silent, watch: Watch | None = None, region: Tensor | None = None
    ) -> Sampled:
        """Walk from noise to clean pictures; see `Sampler.sample`."""
        levels = self.levels()
        squares = torch.zeros(len(noise), device=noise.device)
        x = noise
        index = 0
        last = len(levels) - 1
        belief = None
        while index <= last:
            inner = min(self.order, max(last - index, 1))  # the last timestep is a start of its own, whose answer is the result
            start, at, group = levels[index], x, list[Belief]()
            for place in range(index, index + inner):
                if group:
                    # The second place is reached by the start's answer, the third by the line through both.
                    at = step(x, start, group, levels[place], "log_snr")
                belief = Belief(self.timesteps[place], levels[place], self._believe(at, denoise(at, self.timesteps[place]), levels[place]))
                group.append(belief)
                if watch:
                    watch(Step(place, len(levels), belief.timestep, belief.clean))
                progress(place + 1, len(levels))
            index += inner
            if index <= last:
                # Start and last place: with that at two thirds, a line is enough for third order.
                used = group if inner < 3 else [group[0], group[2]]
                following = levels[index]
                ahead = step(x, start, used, following, "log_snr")
                doubt = ahead - step(x, start, used[:1] if inner < 3 else group[:2], following, "log_snr")
                squares += (rms(doubt, region) * following.damping / following.alpha) ** 2
                x = ahead
        assert belief is not None
        return Sampled(belief.clean, len(levels), squares.sqrt())
