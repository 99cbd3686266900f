"""What a run did, frame by frame, for its report."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..report import Report
from .model import Drawn


@dataclass
class Ledger:
    """Written while lips are drawn; a frame asked for twice counts once.

    Attributes:
        evaluations: by absolute index of the frame; 0 where it passed as it came.
        errors: estimated, by absolute index; NaN where the sampler has no estimate.
        seconds: that drawing took, by absolute index.
    """

    evaluations: dict[int, int] = field(default_factory=dict)
    errors: dict[int, float] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    def note(self, start: int, count: int, drawn: dict[int, Drawn]) -> None:
        """Write down a run of `count` frames from `start`, of which some were drawn."""
        for index in range(start, start + count):
            made = drawn.get(index)
            if made is not None or index not in self.evaluations:
                self.evaluations[index] = made.evaluations if made else 0
                self.errors[index] = made.error if made else math.nan
                self.seconds[index] = made.seconds if made else 0.0

    def report(self, title: str, figures: dict[str, Any]) -> Report:
        """Give the figures of the run after those handed in."""
        drawn = [i for i, count in self.evaluations.items() if count]
        passed = sorted(i for i, count in self.evaluations.items() if not count)
        made: dict[str, Any] = {"frames": len(self.evaluations), "frames drawn": len(drawn), "frames without a face, passed as they are":
                                len(passed)}
        if passed:
            made["passed frames"] = ranges(passed)
        if drawn:
            made["evaluations a frame"] = float(np.mean([self.evaluations[i] for i in drawn]))
            known = [self.errors[i] for i in drawn if self.errors[i] > 0]  # neither NaN nor the 0 of a walk too short for an estimate
            if known:
                made["estimated error, median (-1..1)"] = float(np.median(known))
                made["estimated error, worst (-1..1)"] = max(known)
            seconds = sum(self.seconds.values())
            made["drawing (s)"] = seconds
            made["drawing (frames/s)"] = len(drawn) / max(seconds, 1e-9)
        order = sorted(self.evaluations)
        return Report(title, {**made, **figures}, {"evaluations": tuple(float(self.evaluations[i]) for i in order)})


def ranges(indices: list[int]) -> str:
    """Write ascending whole numbers as ``3, 7-12``, the first twenty runs of them."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:20]]
    return ", ".join(texts) + (" ..." if len(runs) > 20 else "")
