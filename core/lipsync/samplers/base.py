"""What a sampler is: a walk from noise to a clean picture that asks a network for the noise at some timesteps.

A sampler is a frozen dataclass and holds no state. It sees the network only as a callable, so the same code runs on a U-Net and on
a problem whose answer is known. Every picture of a batch is walked on its own: which others are in the batch never shows.
"""
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...progress import Progress, silent
from ..schedule import Schedule, log_snr, schedule

Denoise = Callable[[Tensor, int], Tensor]
"""Gives the noise in ``[N,...]`` float32 pictures at a trained timestep (0..999), in the same shape."""

PICTURE_SPREAD = 0.5
"""How far pictures in -1..1 lie apart, roughly (rms). An error made where the noise is much larger than this mostly dies out."""


@dataclass(frozen=True)
class Step:
    """What a watcher is shown after each evaluation of the network.

    Attributes:
        index: evaluations done before this one.
        count: evaluations of the whole walk.
        timestep: where this one was.
        clean: the picture as the network now believes it to be, ``[N,...]``, -1..1.
    """

    index: int
    count: int
    timestep: int
    clean: Tensor


Watch = Callable[[Step], None]


@dataclass(frozen=True)
class Sampled:
    """The result of a walk.

    Attributes:
        clean: ``[N,...]`` float32, -1..1.
        evaluations: how often the network was asked, a picture.
        error: ``[N]``, the estimated rms error of each picture in the region asked for; NaN from samplers that have no estimate.
    """

    clean: Tensor
    evaluations: int
    error: Tensor


@dataclass(frozen=True)
class Level:
    """How much picture and how much noise there is: ``x = alpha * picture + sigma * noise``."""

    alpha: float
    sigma: float
    log_snr: float

    @classmethod
    def of(cls, signal: float) -> Level:
        """Give the level at a share of signal variance (alpha-bar)."""
        return cls(math.sqrt(signal), math.sqrt(1 - signal), log_snr(signal))

    @property
    def damping(self) -> float:
        """Give the share of an error made here that is left in the final picture, for pictures `PICTURE_SPREAD` apart."""
        return PICTURE_SPREAD / math.hypot(PICTURE_SPREAD, self.sigma / self.alpha)


@dataclass(frozen=True)
class Belief:
    """What the network believed the clean picture to be, and when."""

    timestep: int
    level: Level
    clean: Tensor


@dataclass(frozen=True)
class Sampler(ABC):
    """A deterministic sampler over fixed timesteps.

    Attributes:
        timesteps: where the network is asked, strictly descending; the answer to the last one is the result.
        clip: keep every believed picture within -1..1, as the published sampler does.
    """

    timesteps: tuple[int, ...]
    clip: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if list(self.timesteps) != sorted(set(self.timesteps), reverse=True):
            raise ValueError(f"{type(self).__name__}: the timesteps are {list(self.timesteps)}; wanted are descending ones, none twice.")
        schedule(self.timesteps)  # refuses none at all, and any out of range

    @property
    def evaluations(self) -> int:
        """Count how often the network is asked, a picture."""
        return len(self.timesteps)

    @abstractmethod
    def sample(
        self, denoise: Denoise, noise: Tensor, progress: Progress = silent, watch: Watch | None = None, region: Tensor | None = None
    ) -> Sampled:
        """Walk from noise to clean pictures.

        Args:
            denoise: the network.
            noise: ``[N,...]`` float32, unit variance.
            progress: told after every evaluation; what it raises ends the walk.
            watch: shown the believed picture after every evaluation.
            region: ``[N,1,H,W]`` or anything that spreads to the pictures' shape; 1 where the error estimate looks. Everywhere if None.
        """

    def levels(self) -> tuple[Level, ...]:
        """Give the level at each timestep, in the order of the walk."""
        return tuple(Level.of(float(a)) for a in self._schedule().signal[::-1])

    def _schedule(self) -> Schedule:
        return schedule(self.timesteps)

    def _believe(self, x: Tensor, eps: Tensor, level: Level) -> Tensor:
        clean = (x - level.sigma * eps) / level.alpha
        return clean.clamp_(-1, 1) if self.clip else clean


@dataclass(frozen=True)
class Multistep(Sampler):
    """A sampler that asks the network once a step and reads the earlier answers again."""

    def sample(
        self, denoise: Denoise, noise: Tensor, progress: Progress = silent, watch: Watch | None = None, region: Tensor | None = None
    ) -> Sampled:
        """Walk from noise to clean pictures; see `Sampler.sample`."""
        x = noise
        levels = self.levels()
        beliefs: list[Belief] = []
        squares = torch.zeros(len(noise), device=noise.device)
        for index, (timestep, level) in enumerate(zip(self.timesteps, levels, strict=True)):
            clean = self._believe(x, denoise(x, timestep), level)
            beliefs = [Belief(timestep, level, clean), *beliefs[: self.memory - 1]]
            x, doubt = self.corrected(x, beliefs)
            if doubt is not None:
                squares += (rms(doubt, region) * level.damping / level.alpha) ** 2
            if index + 1 < len(levels):
                following = levels[index + 1]
                x, doubt = self.advanced(x, beliefs, following)
                if doubt is not None:
                    squares += (rms(doubt, region) * following.damping / following.alpha) ** 2
            if watch:
                watch(Step(index, len(levels), timestep, clean))
            progress(index + 1, len(levels))
        return Sampled(beliefs[0].clean, len(levels), squares.sqrt() if self.estimates else squares * math.nan)

    @property
    def memory(self) -> int:
        """Count the answers that a step reads."""
        return 1

    @property
    def estimates(self) -> bool:
        """Say whether steps come with an estimate of their error."""
        return False

    def corrected(self, x: Tensor, beliefs: Sequence[Belief]) -> tuple[Tensor, Tensor | None]:
        """Improve noisy pictures with the newest belief (``beliefs[0]``), formed at them; and say by how much, if that is an estimate."""
        return x, None

    @abstractmethod
    def advanced(self, x: Tensor, beliefs: Sequence[Belief], level: Level) -> tuple[Tensor, Tensor | None]:
        """Take noisy pictures one step on.

        Args:
            x: the pictures at ``beliefs[0]``.
            beliefs: newest first, at most `memory` of them.
            level: the level at the next timestep.

        Returns:
            The pictures there, and by how much two orders differ on them, if the sampler knows.
        """


def rms(x: Tensor, region: Tensor | None = None) -> Tensor:
    """Give the root mean square of each picture of ``[N,...]``, weighted by a region that spreads to its shape; ``[N]``."""
    if region is None:
        return x.flatten(1).square().mean(1).sqrt()
    weight = region.expand_as(x).flatten(1)
    return ((x.flatten(1).square() * weight).sum(1) / weight.sum(1).clamp(min=1e-12)).sqrt()
