"""Where a fit runs and who looks on; the defaults are for no host."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from ...arrays import Frame
from .fit import Fit, Moment

Precision = Literal["auto", "float32", "float16", "bfloat16"]


def best_device() -> torch.device:
    """Give the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Runtime:
    """Where fits run, and what is told on the way. Nothing in it changes a result, but for the device's own arithmetic.

    Attributes:
        device: asked when a run begins.
        preview: shown the picture as it is so far ``[H,W,C]``, about once a second.
        running: told how a fit stands, about once a second, with the frame's index.
        finished: told of every fit as it ends, with the frame's index.
    """

    device: Callable[[], torch.device] = best_device
    preview: Callable[[Frame], None] | None = None
    running: Callable[[int, Moment], None] | None = None
    finished: Callable[[int, Fit], None] | None = None


def half_precision(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Give the dtype that autocast computes in, or None for float32.

    ``auto`` is float16 on a GPU: it has more steps between two numbers than bfloat16, and its small range is what the loss is scaled
    for. On a CPU everything is float32, where half precision gains nothing.
    """
    if device.type != "cuda" or precision == "float32":
        return None
    return torch.bfloat16 if precision == "bfloat16" else torch.float16
