"""The architecture of the published node, rebuilt from its stated figures: 128 channels on five levels, 3.4 million weights."""
from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

WIDTH, LEVELS = 128, 5


def _convs(*channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers)


class WideUNet(nn.Module):
    """A U-Net of one width, with skips of that width, max-pooling and bilinear enlargement.

    What its figures leave open is two convolutions, which are put on the coarsest level, where they cost least.
    """

    def __init__(self, outputs: int = 3) -> None:
        """Make it with random weights."""
        super().__init__()
        self.down = nn.ModuleList(
            _convs(3 if i == 0 else WIDTH, *(WIDTH,) * (4 if i == LEVELS - 1 else 2)) for i in range(LEVELS))
        self.up = nn.ModuleList(_convs(2 * WIDTH, WIDTH, WIDTH) for _ in range(LEVELS - 1))
        self.head = nn.Conv2d(WIDTH, outputs, 1)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """Draw ``[N,outputs,H,W]`` from ``[N,3,H,W]``; sides are multiples of 16."""
        found = []
        for i, level in enumerate(self.down):
            noise = level(noise if i == 0 else max_pool2d(noise, 2))
            found.append(noise)
        drawn = found.pop()
        for level in self.up:
            drawn = level(torch.cat((interpolate(drawn, scale_factor=2, mode="bilinear", align_corners=False), found.pop()), 1))
        return torch.sigmoid(self.head(drawn))
