"""Clip limit and tiles for a frame: given, by rules, or by the regressor that was trained for it (benchmarks/train_clahe.py)."""
from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .features import FEATURES, by_rule

WEIGHTS = Path(__file__).with_name("learned.json")

CLIP_RANGE = 1.0, 10.0
"""Clip limits that the regressor may give."""

TILE_RANGE = 1.0, 4.0
"""log2 of the tiles along a side that it may give: 2 to 16."""


@dataclass(frozen=True, eq=False)
class Regressor:
    """A perceptron with one hidden layer of tanh: features in, clip limit and log2 of tiles out, both within their ranges."""

    centre: NDArray[np.float64]
    """``[20]``, taken off the features."""
    scale: NDArray[np.float64]
    """``[20]``, then divided by this."""
    hidden: NDArray[np.float64]
    """``[20,units]``."""
    hidden_bias: NDArray[np.float64]
    """``[units]``."""
    output: NDArray[np.float64]
    """``[units,2]``."""
    output_bias: NDArray[np.float64]
    """``[2]``."""

    def __call__(self, found: NDArray[np.float64]) -> tuple[float, float]:
        """Give clip limit and log2 of the tiles along a side for features ``[20]``, which are held within 3 deviations of the usual."""
        inside = np.clip((found - self.centre) / self.scale, -3, 3)
        share = 1 / (1 + np.exp(-(np.tanh(inside @ self.hidden + self.hidden_bias) @ self.output + self.output_bias)))
        low, high = np.log2(CLIP_RANGE)
        return float(2 ** (low + share[0] * (high - low))), float(TILE_RANGE[0] + share[1] * (TILE_RANGE[1] - TILE_RANGE[0]))

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Regressor:
        """Read the weights.

        Raises:
            ValueError: they are made for other features.
        """
        if tuple(plain["features"]) != FEATURES:
            raise ValueError(f"{WEIGHTS.name} was trained on other features; train it again: python -m benchmarks.train_clahe.")
        return cls(*(np.array(plain[name], np.float64) for name in (
            "centre", "scale", "hidden", "hidden_bias", "output", "output_bias")))


@cache
def trained() -> Regressor:
    """Give the regressor that comes with the pack."""
    return Regressor.from_json(json.loads(WEIGHTS.read_text(encoding="utf-8")))


def predicted(mode: Literal["learned", "rule_based"], found: NDArray[np.float64]) -> tuple[float, float]:
    """Give clip limit and log2 of the tiles along a side for features ``[20]``, by rules or by the regressor."""
    return by_rule(found) if mode == "rule_based" else trained()(found)
