"""DDIM: the published sampler (Song, Meng and Ermon, "Denoising Diffusion Implicit Models", ICLR 2021), with eta 0."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...progress import Progress, silent
from ..schedule import respaced
from .base import Denoise, Sampled, Sampler, Step, Watch


@dataclass(frozen=True)
class Ddim(Sampler):
    """First order, deterministic; the same bits as the published step."""

    @classmethod
    def spaced(cls, spacing: str) -> Ddim:
        """Give the sampler for a spacing string such as ``"ddim25"``.

        Raises:
            ScheduleError: no such spacing.
        """
        return cls(respaced(spacing).timesteps[::-1])

    def sample(
        self, denoise: Denoise, noise: Tensor, progress: Progress = silent, watch: Watch | None = None, region: Tensor | None = None
    ) -> Sampled:
        """Walk from noise to clean pictures; see `Sampler.sample`. There is no error estimate."""
        kept = self._schedule()
        x = noise
        for index, timestep in enumerate(self.timesteps):
            place = len(kept) - 1 - index
            signal = kept.signal[place]
            scale, share = _float32(np.sqrt(1.0 / signal)), _float32(np.sqrt(1.0 / signal - 1))
            previous = np.float32(kept.previous_signal[place])
            keep, noisy = _float32_root(previous), _float32_root(np.float32(1) - previous)
            clean = scale * x - share * denoise(x, timestep)
            if self.clip:
                clean = clean.clamp(-1, 1)
            eps = (scale * x - clean) / share  # again, since clipping changed it
            x = clean * keep + noisy * eps
            if watch:
                watch(Step(index, len(self.timesteps), timestep, clean))
            progress(index + 1, len(self.timesteps))
        return Sampled(x, len(self.timesteps), torch.full((len(noise),), math.nan, device=noise.device))


def _float32(value: np.floating[Any]) -> float:
    """Round a factor of the float64 tables, once."""
    return float(np.float32(value))


def _float32_root(value: np.float32) -> float:
    """Take a root in float32 by torch, whose last bit differs from NumPy's; the published sampler's roots are torch's."""
    return float(torch.sqrt(torch.tensor(value)))
