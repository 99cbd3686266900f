"""What a fit is measured against: the picture that is there, what of it is known, and how it came about from the one wanted."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch.nn.functional import conv2d, interpolate, pad

Loss = Literal["squared", "absolute"]

_MATCHES = 8
"""Rounds of back-projection: what is off is then a hundredth of what it was."""

_OPPONENT = ((3**-0.5, 3**-0.5, 3**-0.5), (2**-0.5, 0.0, -(2**-0.5)), (6**-0.5, -2 * 6**-0.5, 6**-0.5))
"""Luma and two chroma axes of length 1 at right angles, so that equal weights measure plain RGB."""


@dataclass(frozen=True, eq=False)
class Target:
    """A picture to be explained.

    Attributes:
        picture: ``[1,C,h,w]`` float32, 0..1.
        known: ``[1,1,h,w]``, the share that each pixel counts for; None: all are known.
        factor: how many times larger the drawn picture is; it is shrunk by this before it is compared.
        luma: weight of errors in brightness.
        chroma: weight of errors in colour; gray pictures have none.
        loss: ``squared`` fits the mean of the noise, ``absolute`` its median (for pixels that are lost outright).
    """

    picture: torch.Tensor
    known: torch.Tensor | None = None
    factor: int = 1
    luma: float = 1.0
    chroma: float = 1.0
    loss: Loss = "squared"

    @property
    def size(self) -> tuple[int, int]:
        """Give height and width of the picture that is drawn."""
        return self.picture.shape[2] * self.factor, self.picture.shape[3] * self.factor

    @property
    def channels(self) -> int:
        """Give the number of channels."""
        return self.picture.shape[1]

    def error(self, drawn: torch.Tensor) -> torch.Tensor:
        """Measure a drawn picture ``[1,C,*size]``: one number, the mean over the pixels that are known."""
        off = self.shrunk(drawn) - self.picture
        if self._metric is not None:
            off = conv2d(off, self._metric)
        off = off.square() if self.loss == "squared" else off.abs()
        return off.mean() if self.known is None else (off * self.known).sum() / (self.known.sum() * self.channels)

    def enlarged(self, picture: torch.Tensor) -> torch.Tensor:
        """Give ``[1,C,h,w]`` at the size of the drawn picture, by cubic interpolation: ``[1,C,*size]``, a tensor of its own."""
        return picture.clone() if self.factor == 1 else interpolate(picture, scale_factor=self.factor, mode="bicubic", align_corners=False)

    def matched(self, drawn: torch.Tensor) -> torch.Tensor:
        """Give a drawn picture ``[1,C,*size]`` so changed that it shrinks to the one given, a tensor of its own.

        What is off in the small picture is enlarged and put on, over and over; what shrinking cannot tell stays as it was drawn.

        Source: Irani and Peleg, "Improving resolution by image registration", CVGIP 53(3), 1991 (iterative back-projection).
        """
        made = drawn.clone()
        if self.factor > 1:
            for _ in range(_MATCHES):
                made += self.enlarged(self.picture - self.shrunk(made))
            made.clamp_(0, 1)
        return made

    def shrunk(self, drawn: torch.Tensor) -> torch.Tensor:
        """Shrink a drawn picture ``[1,C,*size]`` to the size of the one that is there."""
        if self.factor == 1:
            return drawn
        return conv2d(pad(drawn, (self._margin,) * 4, mode="replicate"), self._kernel, stride=self.factor, groups=self.channels)

    @property
    def _margin(self) -> int:
        return 3 * self.factor // 2

    @cached_property
    def _kernel(self) -> torch.Tensor:
        line = shrinking_kernel(self.factor).to(self.picture)
        return torch.outer(line, line).expand(self.channels, 1, -1, -1)

    @cached_property
    def _metric(self) -> torch.Tensor | None:
        if self.channels != 3 or self.luma == self.chroma == 1:
            return None
        power = 0.5 if self.loss == "squared" else 1.0
        weights = torch.tensor([self.luma, self.chroma, self.chroma]) ** power
        return (weights[:, None] * torch.tensor(_OPPONENT))[..., None, None].to(self.picture)


def shrinking_kernel(factor: int) -> torch.Tensor:
    """Give the taps ``[4*factor]`` that shrink a line by a whole factor: the cubic of Keys with a = -0.5, stretched; they add up to 1.

    Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981.
    """
    at = ((torch.arange(4 * factor, dtype=torch.float64) - (4 * factor - 1) / 2) / factor).abs()
    near = 1.5 * at**3 - 2.5 * at**2 + 1
    far = -0.5 * at**3 + 2.5 * at**2 - 4 * at + 2
    taps = torch.where(at <= 1, near, far)
    return (taps / taps.sum()).float()
