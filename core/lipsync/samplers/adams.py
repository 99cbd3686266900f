"""Our default: a predictor and corrector whose polynomials are drawn over the timestep.

An exponential Adams-Bashforth-Moulton method on the believed picture, one evaluation a step. It is to UniPC what the tAB-DEIS of Zhang
and Chen, "Fast Sampling of Diffusion Models with Exponential Integrator", ICLR 2023, is to DPM-Solver: over log-SNR a polynomial must
bend with the long flat tails at both ends, over t it need not. What that is worth is measured in benchmarks/lips.py.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .base import Belief, Level, Multistep
from .integration import added, step


@dataclass(frozen=True)
class Adams(Multistep):
    """Exponential Adams of order 1 to 4 over t.

    Attributes:
        order: of the predictor.
        corrects: take every step again at one order more, with the answer at its end, which is paid for already. What that changes is
            the error estimate of the step; without it, the difference to the order below is.
    """

    order: int = 3
    corrects: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.order <= 4:
            raise ValueError(f"Adams has order 1 to 4, not {self.order}.")

    @property
    def memory(self) -> int:
        """Read as many answers as the order says; the corrector also the newest."""
        return self.order + self.corrects

    @property
    def estimates(self) -> bool:
        """Estimate by the corrector, or by the order below where there is one."""
        return self.corrects or self.order > 1

    def corrected(self, x: Tensor, beliefs: Sequence[Belief]) -> tuple[Tensor, Tensor | None]:
        """Take the step that led here again, now that the answer at its end is known."""
        if not self.corrects or len(beliefs) < 2:
            return x, None
        newest, *used = beliefs
        start = used[0].level
        change = added(start, beliefs, newest.level, "t") - added(start, used, newest.level, "t")
        return x + change, change

    def advanced(self, x: Tensor, beliefs: Sequence[Belief], level: Level) -> tuple[Tensor, Tensor | None]:
        """Take one step."""
        used = beliefs[: self.order]
        start = used[0].level
        ahead = step(x, start, used, level, "t")
        if self.corrects or len(used) < 2:
            return ahead, None
        return ahead, ahead - step(x, start, used[:-1], level, "t")
