"""UniPC (Zhao, Bai, Rao, Zhou and Lu, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models", 2023)."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .base import Belief, Level, Multistep


@dataclass(frozen=True)
class UniPC(Multistep):
    """Predictor of order 1 to 3, and a corrector of one order more that reads the answer already paid for; with B(h) = exp(h) - 1."""

    order: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.order <= 3:
            raise ValueError(f"UniPC has order 1 to 3, not {self.order}.")

    @property
    def memory(self) -> int:
        """Read one answer more than the order says: the newest one corrects."""
        return self.order + 1

    @property
    def estimates(self) -> bool:
        """Estimate by what the corrector changes."""
        return True

    def corrected(self, x: Tensor, beliefs: Sequence[Belief]) -> tuple[Tensor, Tensor | None]:
        """Take the step that led here again, now that the answer at its end is known."""
        if len(beliefs) < 2:
            return x, None
        newest, *used = beliefs
        # Where the step began is forgotten, and not needed: both ways to take it differ only by what the beliefs add.
        change = self._change(used, newest.level, newest) - self._change(used, newest.level, None)
        return x + change, change

    def advanced(self, x: Tensor, beliefs: Sequence[Belief], level: Level) -> tuple[Tensor, Tensor | None]:
        """Predict."""
        used = beliefs[: self.order]
        return x * (level.sigma / used[0].level.sigma) + self._change(used, level, None), None

    def _change(self, beliefs: Sequence[Belief], level: Level, newest: Belief | None) -> Tensor:
        """Sum up what beliefs (the first at the start of the step, and `newest` at its end when known) add on the way to `level`."""
        start = beliefs[0]
        length = level.log_snr - start.level.log_snr
        others = [*beliefs[1:], *([newest] if newest else [])]
        ratios = [(b.level.log_snr - start.level.log_snr) / length for b in others]
        total = start.clean * (-level.alpha * math.expm1(-length))
        for share, ratio, belief in zip(_shares(ratios, length), ratios, others, strict=True):
            total = total.add(belief.clean - start.clean, alpha=-level.alpha * math.expm1(-length) * share / ratio)
        return total


def _shares(ratios: Sequence[float], length: float) -> list[float]:
    """Solve the paper's order conditions, R(h) a = b(h); a single unknown is 1/2, as the paper takes it."""
    count = len(ratios)
    if count < 2:
        return [0.5] * count
    first = math.expm1(-length)
    moment, factorial = first / -length - 1, 1
    right = []
    for power in range(1, count + 1):
        right.append(moment * factorial / first)
        factorial *= power + 1
        moment = moment / -length - 1 / factorial
    matrix = np.array([[r**power for r in ratios] for power in range(count)])
    return [float(a) for a in np.linalg.solve(matrix, np.array(right))]
