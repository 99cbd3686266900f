"""Exact steps of the sampling equation for a believed picture that moves along a polynomial.

With s = alpha / sigma the noisy picture obeys d(x / sigma) / ds = picture(s). A step integrates the polynomial through the last few
beliefs. In which variable that polynomial is drawn matters more than its order: log-SNR is DPM-Solver++'s and UniPC's choice, the
timestep itself is that of Zhang and Chen, "Fast Sampling of Diffusion Models with Exponential Integrator", ICLR 2023.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .base import Belief, Level
from .grids import log_snrs

Variable = Literal["t", "log_snr"]

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def step(x: Tensor, start: Level, beliefs: Sequence[Belief], end: Level, variable: Variable) -> Tensor:
    """Take noisy pictures `x` from level `start` to level `end`, with the polynomial through these beliefs."""
    return x * (end.sigma / start.sigma) + added(start, beliefs, end, variable)


def added(start: Level, beliefs: Sequence[Belief], end: Level, variable: Variable) -> Tensor:
    """Give what the polynomial through these beliefs adds to the noisy pictures on the way from `start` to `end`."""
    shares = belief_weights(tuple(b.level.log_snr for b in beliefs), start.log_snr, end.log_snr, variable)
    total = beliefs[0].clean * (end.sigma * shares[0])
    for share, belief in zip(shares[1:], beliefs[1:], strict=True):
        total = total.add(belief.clean, alpha=end.sigma * share)
    return total


@lru_cache(maxsize=4096)
def belief_weights(nodes: tuple[float, ...], start: float, end: float, variable: Variable) -> tuple[float, ...]:
    """Integrate each Lagrange polynomial on `nodes` over ds from `start` to `end`; all given as log-SNR."""
    levels = (start + end) / 2 + (end - start) / 2 * _POINTS
    measure = _WEIGHTS * (end - start) / 2 * np.exp(levels)
    at = _drawn(np.array(nodes), variable)
    over = _drawn(levels, variable)
    return tuple(float(measure @ _lagrange(at, own, over)) for own in range(len(nodes)))


def _lagrange(nodes: NDArray[np.float64], own: int, places: NDArray[np.float64]) -> NDArray[np.float64]:
    value = np.ones_like(places)
    for other in range(len(nodes)):
        if other != own:
            value *= (places - nodes[other]) / (nodes[own] - nodes[other])
    return value


def _drawn(levels: NDArray[np.float64], variable: Variable) -> NDArray[np.float64]:
    if variable == "log_snr":
        return levels
    known = log_snrs()
    timesteps: NDArray[np.float64] = np.interp(-levels, -known, np.arange(len(known), dtype=np.float64))
    return timesteps
