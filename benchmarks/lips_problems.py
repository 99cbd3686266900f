"""Problems for samplers whose answer is known: mixtures of Gaussians, and the network with random weights that barely steers."""
from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from talkies.core.lipsync.network import Conditions, LipNetwork
from talkies.core.lipsync.samplers.adams import Adams
from talkies.core.lipsync.samplers.base import Denoise, rms
from talkies.core.lipsync.samplers.grids import log_snrs
from talkies.core.lipsync.schedule import trained_signal

from . import ROOT

sys.path.append(str(ROOT / "tests"))
import lips_filling

SIGNAL = trained_signal()
NETWORK_ROW = "random network, residual eps"
_SETS = 32  # so many, since a handful of walks that end at another mode makes most of the error of the narrow rows
_WALKS = 150


@dataclass(frozen=True)
class Mixture:
    """Gaussians with equal weights, means and standard deviations along the axes ``[K,D]``, or ``[S,K,D]`` for S at once, float64."""

    means: Tensor
    spreads: Tensor

    def clean(self, x: Tensor, signal: float) -> Tensor:
        """Give the expected clean points behind noisy ones ``[N,D]`` (``[S,N,D]``), within -1..1."""
        root = math.sqrt(signal)
        variance = signal * self.spreads**2 + (1 - signal)
        placed = root * self.means
        apart = x**2 @ (1 / variance).mT - 2 * x @ (placed / variance).mT + (placed**2 / variance).sum(-1)[..., None, :]
        share = torch.softmax(-0.5 * (apart + variance.log().sum(-1)[..., None, :]), -1)
        gain = root * self.spreads**2 / variance
        return (share @ (self.means - gain * placed) + x * (share @ gain)).clamp(-1, 1)


@dataclass(frozen=True)
class Problem:
    """A way to give the clean picture, its start, and a fine solution.

    Attributes:
        name: for the table.
        clean: the expected clean pictures behind noisy ones ``[N,...]`` at a share of signal.
        noise: the start.
        answer: where the exact walk ends.
    """

    name: str
    clean: Callable[[Tensor, float], Tensor]
    noise: Tensor
    answer: Tensor

    def error(self, made: Tensor) -> float:
        """Give the rms error of all walks."""
        return float((made - self.answer).square().mean().sqrt())

    def strays(self, made: Tensor) -> int:
        """Count the walks that ended at another mode."""
        return int((rms(made - self.answer) > 0.25).sum())

    def denoise(self) -> Denoise:
        """Give the noise predictor that a sampler wants."""

        def eps(x: Tensor, timestep: int) -> Tensor:
            signal = float(SIGNAL[timestep])
            return (x - math.sqrt(signal) * self.clean(x, signal)) / math.sqrt(1 - signal)

        return eps


def mixtures(rows: Sequence[str] = ("",)) -> list[Problem]:
    """Make the five rows of the facts, and a sixth of many near neighbours; each over 32 drawn mixtures of 150 walks.

    Only those whose name contains one of `rows`.
    """
    wide = 64

    def soft(g: np.random.Generator) -> Mixture:
        spread = np.geomspace(0.5, 0.05, wide)[None].repeat(8, 0) * g.uniform(0.7, 1.4, (8, 1))
        return Mixture(_tensor(g.uniform(-0.6, 0.6, (8, wide))), _tensor(spread))

    def evenly(count: int, dims: int, spread: float) -> Callable[[np.random.Generator], Mixture]:
        return lambda g: Mixture(_tensor(g.uniform(-0.8, 0.8, (count, dims))), torch.full((count, dims), spread, dtype=torch.float64))

    def near(g: np.random.Generator) -> Mixture:
        means = g.uniform(-0.8, 0.8, (1, wide)) + 0.15 * g.standard_normal((16, wide))
        return Mixture(_tensor(means), torch.full((16, wide), 0.05, dtype=torch.float64))

    makers: Mapping[str, Callable[[np.random.Generator], Mixture]] = {
        "64-D anisotropic soft mixture": soft,
        "64-D narrow unimodal": evenly(1, wide, 0.05),
        "64-D mixture sd .3": evenly(8, wide, 0.3),
        "2-D mixture sd .05": evenly(8, 2, 0.05),
        "64-D mixture sd .05": evenly(8, wide, 0.05),
        "64-D near mixture sd .05": near,
    }
    return [_mixture_problem(name, [make(_generator(1000 * row + i)) for i in range(_SETS)])
            for row, (name, make) in enumerate(makers.items()) if any(text in name for text in rows)]


def _mixture_problem(name: str, sets: list[Mixture]) -> Problem:
    dims = sets[0].means.shape[1]
    together = Mixture(torch.stack([m.means for m in sets]), torch.stack([m.spreads for m in sets]))

    def clean(x: Tensor, signal: float) -> Tensor:
        return together.clean(x.reshape(len(sets), -1, dims), signal).reshape(-1, dims)

    noise = _tensor(_generator(99).standard_normal((len(sets) * _WALKS, dims)))
    return Problem(name, clean, noise, fine_walk(clean, noise, 1000))


def fine_walk(clean: Callable[[Tensor, float], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Walk very finely, second order, evenly in log-SNR over the continuous schedule."""
    known = log_snrs()
    levels = np.linspace(known[-1], known[0], steps + 1)
    x, before = noise, None
    for now, then in pairwise(levels):
        signal, following = (1 / (1 + math.exp(-2 * level)) for level in (now, then))
        belief = clean(x, signal)
        ahead = belief if before is None else 1.5 * belief - 0.5 * before
        x = math.sqrt((1 - following) / (1 - signal)) * x - math.sqrt(following) * math.expm1(now - then) * ahead
        before = belief
    return clean(x, float(SIGNAL[0]))


def filled_network() -> LipNetwork:
    """Give the network with the deterministic weights that stand in for the real ones."""
    network: LipNetwork = lips_filling.filled(LipNetwork())
    return network.fuse()


def face_conditions(network: LipNetwork, size: int, count: int = 1) -> tuple[Conditions, Tensor]:
    """Give the conditions of `count` (1 or 2) faces of `size` pixels, cut from the golden inputs, and their start noise."""
    given = lips_filling.inputs(count, size)
    return network.prepare(given["cond"], given["mask"], given["ref"], given["mel"]), given["noise"]


def network_problem(network: LipNetwork, size: int, fine: int = 500) -> Problem:
    """Make the row of the random network, ``eps = x + 0.1 network(x)``, on a face of `size` pixels; the answer from `fine` evaluations."""
    conditions, noise = face_conditions(network, size)

    def clean(x: Tensor, signal: float) -> Tensor:
        timestep = int(np.abs(SIGNAL - signal).argmin())
        with torch.inference_mode():
            eps = x + 0.1 * network.denoise(x.float(), torch.full((1,), timestep), conditions)
        return ((x - math.sqrt(1 - signal) * eps) / math.sqrt(signal)).clamp(-1, 1)

    return Problem(NETWORK_ROW, clean, noise.double(), _fine_network_walk(clean, noise.double(), fine))


def _fine_network_walk(clean: Callable[[Tensor, float], Tensor], noise: Tensor, count: int) -> Tensor:
    problem = Problem("", clean, noise, noise)
    return Adams((*range(999, 0, -(1000 // count)), 0), order=2).sample(problem.denoise(), noise).clean


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values)
