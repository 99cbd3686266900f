"""The two kinds of fit: drawing a picture from fixed noise, and telling two halves of a picture apart."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn.functional import mse_loss, pad

from .target import Target

SMALLEST = 64
"""Pictures are drawn on a canvas of at least this many px a side; what lies beyond the picture is never compared.
The hourglass's coarsest level is then 2 px wide, the least that can be normalised."""

_LEAST_CROP = 8


class Problem(Protocol):
    """A network and what it is asked for.

    Attributes:
        network: what is fitted.
    """

    network: nn.Module

    def loss(self, step: int) -> torch.Tensor:
        """Run the network once and give the training loss; its gradient flows into the network alone."""

    def keep_average(self, step: int) -> None:
        """Take what the network gives after this step into the running average."""

    def forget_average(self) -> None:
        """Begin the average anew."""

    def output(self) -> torch.Tensor:
        """Give the network's own picture ``[1,C,H,W]``, the one whose variance is watched."""

    def average(self) -> torch.Tensor:
        """Give the averaged picture ``[1,C,H,W]``, a tensor of its own."""


def memory_of_average(step: int) -> float:
    """Give the share of the past that an average keeps at a step: about a tenth of the steps so far, a hundred at most."""
    return min(0.99, 1 - 1 / (1 + 0.1 * step))


@dataclass
class Drawing:
    """A network that draws the picture from noise which never changes, but for a little jitter at every step.

    Attributes:
        network: draws from `noise`.
        noise: ``[1,K,H,W]`` on the device, without gradient.
        guide: ``[1,C,H,W]``, a rough picture that the network is shown beside the noise; None for none.
        target: what the drawn picture is measured against.
        jitter: standard deviation of what is added to the noise at every step (Ulyanov's input-noise regularisation).
        generator: for the jitter, on the noise's device.
    """

    network: nn.Module
    noise: torch.Tensor
    target: Target
    jitter: float
    generator: torch.Generator
    guide: torch.Tensor | None = None
    _drawn: torch.Tensor | None = None
    _average: torch.Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse an input that a gradient would flow into."""
        if self.noise.requires_grad:
            raise ValueError("Drawing: the noise asks for a gradient; only the network is fitted.")

    def loss(self, step: int) -> torch.Tensor:
        """Draw, and measure."""
        noise = self.noise
        if self.jitter:
            # Drawn in the memory's own order, [1,H,W,K]: several times quicker than through the strides.
            shape = noise.permute(0, 2, 3, 1).shape
            jitter = torch.randn(shape, generator=self.generator, device=noise.device, dtype=noise.dtype)
            noise = torch.add(noise, jitter.permute(0, 3, 1, 2), alpha=self.jitter)
        if self.guide is not None:
            noise = torch.cat((noise, self.guide), 1)
        height, width = self.target.size
        drawn = self.network(noise)[..., :height, :width].float()
        self._drawn = drawn.detach()
        return self.target.error(drawn)

    def keep_average(self, step: int) -> None:
        """Average the pictures exponentially."""
        drawn = self.output()
        if self._average is None:
            self._average = drawn.clone()
        else:
            self._average.lerp_(drawn, 1 - memory_of_average(step))

    def forget_average(self) -> None:
        """Begin the average anew."""
        self._average = None

    def output(self) -> torch.Tensor:
        """Give the last picture drawn."""
        assert self._drawn is not None, "loss() comes first"
        return self._drawn

    def average(self) -> torch.Tensor:
        """Give a copy of the average; an enlarged picture is made to shrink to the one that was given."""
        assert self._average is not None, "keep_average() comes first"
        return self.target.matched(self._average)


@dataclass
class Pairing:
    """A small network that takes the noise out of one half of the pixels so that they look like the other half.

    The two halves show the same picture with different noise, so the noise of one cannot be told from the other; a second term asks
    that the halves of the cleaned picture look like the cleaned halves. Steps work on crops, which is what makes them quick.

    Source: Mansour and Heckel, "Zero-shot Noise2Noise", CVPR 2023. The crops, flips, learning-rate schedule and averaged weights are ours.

    Attributes:
        network: gives the noise of a picture.
        target: the noisy picture.
        crop: side of a crop, px, even.
        generator: for the crops, on the CPU.
    """

    network: nn.Module
    target: Target
    crop: int
    generator: torch.Generator
    _weights: list[torch.Tensor] | None = None

    def loss(self, step: int) -> torch.Tensor:
        """Compare the halves of a crop."""
        noisy = self._some()
        halves = torch.cat(halved(noisy)).contiguous(memory_format=torch.channels_last)
        first, second = (halves - self.network(halves).float()).chunk(2)
        whole_first, whole_second = halved(noisy - self.network(noisy).float())
        noisy_first, noisy_second = halves.chunk(2)
        across = mse_loss(first, noisy_second) + mse_loss(second, noisy_first)
        return 0.5 * (across + mse_loss(first, whole_first) + mse_loss(second, whole_second))

    def _some(self) -> torch.Tensor:
        """Cut a crop at random, flipped and turned at random."""
        picture = self.target.picture
        height, width = picture.shape[2:]
        if min(height, width) < _LEAST_CROP:
            picture = pad(picture, (0, max(0, _LEAST_CROP - width), 0, max(0, _LEAST_CROP - height)), mode="replicate")
            height, width = picture.shape[2:]
        rows, columns = (min(self.crop, side - side % 2) for side in (height, width))
        top, left, turn = (int(torch.randint(n, (1,), generator=self.generator)) for n in (height - rows + 1, width - columns + 1, 8))
        crop = picture[..., top : top + rows, left : left + columns]
        for axis, flips in ((2, turn & 1), (3, turn & 2)):
            crop = crop.flip(axis) if flips else crop
        return (crop.transpose(2, 3) if turn & 4 else crop).contiguous(memory_format=torch.channels_last)

    def keep_average(self, step: int) -> None:
        """Average the weights exponentially; a picture of its own is only computed when it is asked for."""
        now = [p.detach() for p in self.network.parameters()]
        if self._weights is None:
            self._weights = [p.clone() for p in now]
        else:
            torch._foreach_lerp_(self._weights, now, 1 - memory_of_average(step))

    def forget_average(self) -> None:
        """Begin the average anew."""
        self._weights = None

    def output(self) -> torch.Tensor:
        """Give the picture less the noise that the network finds in it."""
        picture = self.target.picture
        with torch.no_grad():
            noise: torch.Tensor = self.network(picture.contiguous(memory_format=torch.channels_last))
        return picture - noise.float()

    def average(self) -> torch.Tensor:
        """Give the picture of the averaged weights."""
        assert self._weights is not None, "keep_average() comes first"
        names = [name for name, _ in self.network.named_parameters()]
        picture = self.target.picture
        with torch.no_grad():
            weights = dict(zip(names, self._weights, strict=True))
            inputs = (picture.contiguous(memory_format=torch.channels_last),)
            noise: torch.Tensor = torch.func.functional_call(self.network, weights, inputs)
        return (picture - noise.float()).clamp_(0, 1)


def halved(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Average each 2x2 block along its one diagonal and along its other: two pictures of half the size with separate noise."""
    top, bottom = picture[..., 0::2, :], picture[..., 1::2, :]
    return (top[..., 0::2] + bottom[..., 1::2]) / 2, (top[..., 1::2] + bottom[..., 0::2]) / 2
