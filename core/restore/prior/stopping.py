"""When to stop: the variance over the last few outputs falls while the picture is drawn, and rises once noise is."""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import torch

PATIENCE = 10
"""Checks without a lower variance after which a fit stops."""

WINDOW = 25
"""Outputs over which the variance is taken. With half as many it dips before the picture is there, with twice as many it dips too late."""


@dataclass
class VarianceRule:
    """The windowed moving variance of a run of outputs, and where it was lowest.

    It knows nothing of the clean picture, of the noise, or of the training loss, which only ever falls.

    Source: Wang, Li, Zhuang, Chen, Liang and Sun, "Early stopping for deep image prior", TMLR 2023 (ES-WMV, 2021 as a preprint).

    Attributes:
        window: outputs that the variance is taken over, at least 2.
        patience: checks without a new lowest variance after which `over` is true.
        variances: the variance at every check at which the window was full.
        lowest: the check, counted from 0 over all outputs, at which the variance was lowest; -1 before there is one.
    """

    window: int = WINDOW
    patience: int = PATIENCE
    variances: list[float] = field(default_factory=list)
    lowest: int = -1
    _seen: int = 0
    _outputs: deque[torch.Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make room for the window."""
        self._outputs = deque(maxlen=self.window)

    def add(self, output: torch.Tensor) -> bool:
        """Take the output of one check, any shape, always the same; say whether the variance is the lowest so far."""
        self._outputs.append(output)
        self._seen += 1
        if len(self._outputs) < self.window:
            return False
        # One output at a time: stacked, the window would be held twice.
        mean = sum(self._outputs) / self.window
        variance = sum(float(torch.mean(torch.square(o - mean))) for o in self._outputs) / self.window
        return self.add_variance(variance)

    def add_variance(self, variance: float) -> bool:
        """Take the variance of one check; say whether it is the lowest so far. NaN never is."""
        is_lowest = not self.variances or self.lowest < 0 or variance < self.variances[self._place(self.lowest)]
        is_lowest = is_lowest and variance == variance
        self.variances.append(variance)
        self._seen = max(self._seen, self.window - 1 + len(self.variances))
        if is_lowest:
            self.lowest = self._seen - 1
        return is_lowest

    @property
    def over(self) -> bool:
        """Say whether the variance has not reached a new low for `patience` checks."""
        return self.lowest >= 0 and self._seen - 1 - self.lowest >= self.patience

    def _place(self, check: int) -> int:
        return check - (self.window - 1)
