"""Timesteps as vectors (Vaswani et al., "Attention Is All You Need", 2017)."""
from __future__ import annotations

import math

import torch
from torch import Tensor

LONGEST_PERIOD = 10000.0


def sinusoids(timesteps: Tensor, width: int) -> Tensor:
    """Give ``[N,width]`` float32 cosines, then sines, of ``[N]`` timesteps at width/2 frequencies from 1 down to near 1/10000."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    angles = timesteps[:, None].float() * torch.exp(-math.log(LONGEST_PERIOD) * steps / half)[None]
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
