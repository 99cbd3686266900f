"""The networks whose shape is the prior: an hourglass with narrow skips, the deep decoder, and two small layers.

None is trained on anything but the picture at hand. What they can draw before they can draw noise is what makes them useful.
"""
from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn.functional import interpolate

Architecture = Literal["hourglass", "deep_decoder", "zs_n2n"]

_LEAK = 0.1


def _norm_act(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.LeakyReLU(_LEAK, inplace=True))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    # No bias: the normalisation that follows would take it out again.
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), *_norm_act(outputs))


class Hourglass(nn.Module):
    """An encoder and decoder of convolutions whose skips carry only a few channels, so that noise finds no short way to the output.

    Each level halves the picture by a stride; on the way back it is enlarged bilinearly. The network's cost lies in its finest
    levels, which is why they are the narrow ones.

    Source: Ulyanov, Vedaldi and Lempitsky, "Deep image prior", CVPR 2018 (their hourglass has 128 channels on every level).
    """

    def __init__(self, outputs: int, inputs: int = 16, widths: tuple[int, ...] = (16, 32, 64, 64, 64), skip: int = 4) -> None:
        """Make it with random weights.

        Args:
            outputs: channels of the picture.
            inputs: channels of the fixed noise.
            widths: channels of every level, the finest first; the input's sides must be multiples of ``2 ** len(widths)``.
            skip: channels of every skip; 0 for none.
        """
        super().__init__()
        self.multiple = 2 ** len(widths)
        above = (inputs, *widths[:-1])
        self.down = nn.ModuleList(nn.Sequential(_conv(a, w, 3, 2), _conv(w, w, 3)) for a, w in zip(above, widths, strict=True))
        self.skips = nn.ModuleList(_conv(a, skip, 1) for a in above) if skip else None
        below = (*widths[1:], widths[-1])
        self.up = nn.ModuleList(_conv(b + skip, w, 3) for b, w in zip(below, widths, strict=True))
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """Draw ``[N,outputs,H,W]``, 0..1, from ``[N,inputs,H,W]``."""
        found = [noise]
        for level in self.down:
            found.append(level(found[-1]))
        drawn = found.pop()
        for i in reversed(range(len(self.up))):
            drawn = interpolate(drawn, scale_factor=2, mode="bilinear", align_corners=False)
            if drawn.requires_grad:
                # Joining gives back a strided gradient, for which torch's way back through the enlargement is eight times slower.
                drawn.register_hook(_packed)  # type: ignore[no-untyped-call,unused-ignore]
            if self.skips is not None:
                drawn = torch.cat((drawn, self.skips[i](found[i])), 1)
            drawn = self.up[i](drawn)
        return _drawn_exactly(self.head, drawn)


class DeepDecoder(nn.Module):
    """Channel mixing, bilinear enlargement, rectifier and normalisation, over and over: no convolution sees a neighbour.

    It has fewer weights than the picture has pixels, so it can follow noise only a little way, however long it is fitted.

    Source: Heckel and Hand, "Deep decoder: concise image representations from untrained non-convolutional networks", ICLR 2019.
    """

    def __init__(self, outputs: int, inputs: int = 64, width: int = 64, levels: int = 5) -> None:
        """Make it with random weights; it enlarges its input ``2 ** levels`` times."""
        super().__init__()
        self.multiple = 2**levels
        self.mix = nn.ModuleList(nn.Conv2d(inputs if i == 0 else width, width, 1, bias=False) for i in range(levels))
        self.norm = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(levels))
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """Draw ``[N,outputs,H,W]``, 0..1, from ``[N,inputs,H / multiple,W / multiple]``."""
        drawn = noise
        for mix, norm in zip(self.mix, self.norm, strict=True):
            drawn = interpolate(mix(drawn), scale_factor=2, mode="bilinear", align_corners=False)
            drawn = norm(torch.relu(drawn))
        return _drawn_exactly(self.head, drawn)


class TwoLayers(nn.Sequential):
    """Two 3x3 convolutions and a mixing of channels; it gives the noise of a picture, not the picture.

    Source: Mansour and Heckel, "Zero-shot Noise2Noise: efficient image denoising without any data", CVPR 2023.
    """

    def __init__(self, channels: int, width: int = 48) -> None:
        """Make it with random weights for pictures of so many channels."""
        super().__init__(
            nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(width, channels, 1))


def _packed(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def _drawn_exactly(head: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Draw the picture in float32, whatever the features came in: half precision has too few steps near white."""
    with torch.autocast(features.device.type, enabled=False):
        return torch.sigmoid(head(features.float()))
