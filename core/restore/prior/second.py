"""The second opinion: another network's picture, averaged with the first one's where the noise lets both be right."""
from __future__ import annotations

from dataclasses import replace

import torch

from .fit import Fit

WHITE = 0.25
"""Correlation of what was taken out, from one pixel to the next, up to which noise counts as white. White, Poisson and salt-and-pepper
noise come out at .06 at most; JPEG, and noise that was blurred by 1 px, at .44 at least (measured against a fit to white noise)."""


def is_white(removed: torch.Tensor) -> bool:
    """Say whether what was taken out ``[1,C,H,W]`` differs from pixel to pixel, as the noise must that zs_n2n takes out."""
    off = removed.double() - removed.double().mean((2, 3), keepdim=True)
    power = off.square().mean()
    if min(off.shape[2:]) < 2 or not power > 0:
        return False
    down, right = (off[..., 1:, :] * off[..., :-1, :]).mean(), (off[..., 1:] * off[..., :-1]).mean()
    return bool((down + right) / 2 < WHITE * power)


def averaged(first: Fit, second: Fit) -> Fit:
    """Give the first fit with the mean of both pictures.

    The hourglass rather smooths and zs_n2n rather leaves noise, so their errors are far apart and the mean is nearer than either.
    """
    return replace(first, picture=(first.picture + second.picture) / 2, seconds=first.seconds + second.seconds,
                   memory=max(first.memory, second.memory), afterwards="averaged with zs_n2n")
