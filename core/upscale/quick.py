"""The Compact network (SRVGG) on the CPU with its convolutions by Winograd, about twice as fast as torch's, in full float32."""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

import numpy as np
import torch
from torch import nn

from ..arrays import to_floats, to_image
from ..winograd import Floats, convolve, fits, runs, transformed

_SHARES = 4
"""Pieces of work a thread and layer: more even out threads that are held up, fewer cost less."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution and its activation, as `winograd.convolve` takes them."""

    kernels: Floats
    bias: Floats
    slope: Floats


def has_compact_form(network: nn.Module) -> bool:
    """Say whether a network is spandrel's SRVGGNetCompact with layers that `QuickCompact` knows."""
    body = getattr(network, "body", None)
    if not isinstance(body, nn.ModuleList) or not isinstance(getattr(network, "upsampler", None), nn.PixelShuffle) or len(body) % 2 == 0:
        return False
    return all(is_plain(part) and fits(part.in_channels, part.out_channels) if i % 2 == 0
               else isinstance(part, nn.ReLU | nn.PReLU | nn.LeakyReLU) for i, part in enumerate(body))


def is_plain(part: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Say whether a module is a 3x3 convolution that keeps the size of its maps, with zeros beyond their edges."""
    return (isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3) and part.padding == (1, 1) and part.stride == (1, 1)
            and part.dilation == (1, 1) and part.groups == 1 and part.padding_mode == "zeros")


class QuickCompact(nn.Module):
    """A Compact network's own layers, shared with it; on another device or in another precision it is that network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upscale ``[N,C,h,w]``."""
        if x.device.type != "cpu" or x.dtype != torch.float32:
            made: torch.Tensor = self.network(x)
            return made
        return torch.cat([self._one(picture) for picture in torch.split(x, 1)])

    def _one(self, x: torch.Tensor) -> torch.Tensor:
        picture = to_floats(x[0].permute(1, 2, 0))
        height, width, _ = picture.shape
        threads = torch.get_num_threads()
        cuts = np.unique(np.linspace(0, runs(height, width), 1 + (threads * _SHARES if threads > 1 else 1)).astype(int))
        with ThreadPoolExecutor(threads, thread_name_prefix="talkies-upscale") as pool:
            for layer in self.layers:
                out = np.empty((height, width, len(layer.bias)), np.float32)

                def work(share: int, source: Floats = picture, layer: Layer = layer, out: Floats = out) -> None:
                    convolve(source, layer.kernels, layer.bias, layer.slope, cuts[share], cuts[share + 1], out)

                if threads == 1:
                    work(0)
                else:
                    list(pool.map(work, range(len(cuts) - 1)))
                picture = out
        shuffle: nn.PixelShuffle = self.network.upsampler  # type: ignore[assignment]
        made: torch.Tensor = shuffle(to_image(picture).permute(2, 0, 1)[None])
        made += torch.nn.functional.interpolate(x, scale_factor=shuffle.upscale_factor, mode="nearest")
        return made

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Give the layers in the form that Winograd's way takes; made at the first use on a CPU."""
        parts = [*self.network.body, None]  # type: ignore[misc]
        return tuple(layer_of(parts[i], parts[i + 1]) for i in range(0, len(parts), 2))


def layer_of(convolution: nn.Module, activation: nn.Module | None = None) -> Layer:
    """Bring a plain convolution and the ReLU, PReLU or LeakyReLU after it to the form that Winograd's way takes."""
    assert isinstance(convolution, nn.Conv2d)
    channels = convolution.out_channels
    if isinstance(activation, nn.PReLU):
        slope = np.broadcast_to(to_floats(activation.weight), (channels,)).copy()
    else:
        slope = np.full(channels, 1 if activation is None else getattr(activation, "negative_slope", 0), np.float32)
    bias = np.zeros(channels, np.float32) if convolution.bias is None else to_floats(convolution.bias).copy()
    return Layer(transformed(to_floats(convolution.weight)), bias, slope)
