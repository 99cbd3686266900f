"""The denoiser of Diff2Lip: one U-Net in pixel space, 128x128, told of the speech through its time embedding.

The layer names are the published checkpoint's, so that it loads as it is. Widths and levels are those of the published model.
Sources: Mukhopadhyay et al., "Diff2Lip", WACV 2024; Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis", 2021.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .audio_encoder import AudioEncoder
from .blocks import Doubling, ResBlock, Stage, convolutions, residual
from .convolution import Convolution
from .embedding import sinusoids
from .normalisation import GroupNorm

SIZE = 128
"""Height and width of the face that the published model works on."""

_WIDTH = 128
_MULTIPLIERS = (1, 1, 2, 3, 4)
_ATTENTION_FROM = 2  # level: feature maps of 32x32 and smaller
_BLOCKS = 2
_EMBEDDING = 512
_COLOURS = 3


@dataclass(frozen=True)
class Conditions:
    """What stays the same over all steps of a run of N faces, computed once.

    Attributes:
        style: what is said, ``[N,512]`` float32.
        mask: 1 where the network paints, ``[N,1,H,W]``.
        base: the first convolution of everything that is not the noisy image, ``[N,128,H,W]``.
    """

    style: Tensor
    mask: Tensor
    base: Tensor

    def __len__(self) -> int:
        return len(self.style)

    def rows(self, chosen: slice | Tensor) -> Conditions:
        """Give the conditions of some of the faces."""
        return Conditions(self.style[chosen], self.mask[chosen], self.base[chosen])


class LipNetwork(nn.Module):
    """Predict the noise in a face whose lower half is to be painted.

    `forward` is the published network to the letter, for checking. `prepare` and `denoise` give the same eps with everything that
    the steps share computed once, and without the three variance channels, which a deterministic sampler never reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.time_embed = nn.Sequential(nn.Linear(_WIDTH, _EMBEDDING), nn.SiLU(), nn.Linear(_EMBEDDING, _EMBEDDING))
        widths = [_WIDTH * m for m in _MULTIPLIERS]
        down: list[nn.Module] = [Stage(nn.Conv2d(3 * _COLOURS, _WIDTH, 3, padding=1))]
        skips = [_WIDTH]
        width = _WIDTH
        for level, out_width in enumerate(widths):
            for _ in range(_BLOCKS):
                down.append(Stage(*residual(width, out_width, _EMBEDDING, level >= _ATTENTION_FROM)))
                width = out_width
                skips.append(width)
            if level < len(widths) - 1:
                down.append(Stage(ResBlock(width, width, _EMBEDDING, "down")))
                skips.append(width)
        self.input_blocks = nn.ModuleList(down)
        first, attention, last = *residual(width, width, _EMBEDDING, True), ResBlock(width, width, _EMBEDDING)
        self.middle_block = Stage(first, attention, last)
        up: list[nn.Module] = []
        for level, out_width in reversed(list(enumerate(widths))):
            for block in range(_BLOCKS + 1):
                layers = residual(width + skips.pop(), out_width, _EMBEDDING, level >= _ATTENTION_FROM)
                width = out_width
                if level and block == _BLOCKS:
                    layers.append(ResBlock(width, width, _EMBEDDING, "up"))
                up.append(Stage(*layers))
        self.output_blocks = nn.ModuleList(up)
        self.out = nn.Sequential(GroupNorm(width), nn.SiLU(), nn.Conv2d(width, 2 * _COLOURS, 3, padding=1))
        self.audio_encoder = AudioEncoder()
        self.audio_encoder_to_style = nn.Sequential(
            GroupNorm(128), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(128, _EMBEDDING, 1), nn.Flatten()
        )

    @property
    def precision(self) -> torch.dtype:
        """Give the precision of the feature maps."""
        return self._first.weight.dtype

    @property
    def placement(self) -> torch.device:
        """Give the device that the weights are on; not called `device`, since ComfyUI writes one of its own onto its modules."""
        return self._first.weight.device

    def use_precision(self, precision: torch.dtype) -> LipNetwork:
        """Hold the convolutions of the U-Net in `precision`; norms, embeddings, softmax, audio and output stay float32. In place.

        Going to half precision and back does not bring the lost digits back.
        """
        for block in (self.input_blocks, self.middle_block, self.output_blocks):
            for layer in convolutions(block):
                layer.to(precision)
        return self

    def fuse(self) -> LipNetwork:
        """Fold every doubling into the convolution after it: the same sums with 5 % fewer products. In place, keys unchanged."""
        for layer in self.modules():
            if isinstance(layer, Doubling):
                layer.fuse()
        return self

    def placed(self, device: torch.device, quick: bool = False) -> LipNetwork:
        """Move to a device, with the channels innermost where that pays. In place.

        Args:
            device: where to.
            quick: on a CPU in float32, let large maps go by Winograd's convolution (`Convolution`), with channels innermost. It
                and the order of sums are some 1.5e-5 off the published network; what is not quick stays within 1e-5.
        """
        for layer in self.modules():
            if isinstance(layer, Convolution):
                layer.quick = quick
        plain = device.type == "cpu" and self.precision == torch.float32 and not quick
        return self.to(device).to(memory_format=torch.contiguous_format if plain else torch.channels_last)

    def forward(self, x: Tensor, timesteps: Tensor, cond: Tensor, mask: Tensor, ref: Tensor, mel: Tensor) -> Tensor:
        """Run the published network.

        Args:
            x: noisy faces ``[N,3,H,W]``, H and W multiples of 16 (128 in the published model).
            timesteps: ``[N]``, 0..999.
            cond: the clean face with noise in its masked part, ``[N,3,H,W]``, RGB, -1..1.
            mask: ``[N,1,H,W]``, 1 where the face is to be painted.
            ref: a clean face that shows the mouth, ``[N,3,H,W]``, -1..1.
            mel: ``[N,80,16]``.

        Returns:
            ``[N,6,H,W]`` float32: the noise, and the variance interpolation.
        """
        known = torch.cat([x * mask + (1 - mask) * cond, cond, ref], dim=1).to(self.precision)
        embedding = self.time_embed(sinusoids(timesteps, _WIDTH)) + self.style(mel)
        h = self._trunk(self.input_blocks[0](known, embedding), embedding)
        eps: Tensor = self.out(h.float())
        return eps

    def style(self, mel: Tensor) -> Tensor:
        """Give what is said as a vector, ``[N,512]`` float32, from mel windows ``[N,80,16]``."""
        vector: Tensor = self.audio_encoder_to_style(self.audio_encoder(mel))
        return vector

    def prepare(self, cond: Tensor, mask: Tensor, ref: Tensor, mel: Tensor) -> Conditions:
        """Compute once what all steps share; arguments as in `forward`."""
        still = torch.cat([(1 - mask) * cond, cond, ref], dim=1).to(self.precision)
        return Conditions(self.style(mel), mask, self._first(still))

    def denoise(self, x: Tensor, timesteps: Tensor, conditions: Conditions, deep: Deep | None = None) -> Tensor:
        """Give the noise in ``[N,3,H,W]`` float32 faces at ``[N]`` timesteps, ``[N,3,H,W]`` float32.

        `deep` takes part where the features of another timestep are to stand in for this one's; see `Deep`.
        """
        embedding = self.time_embed(sinusoids(timesteps, _WIDTH)) + conditions.style
        noisy = (x * conditions.mask).to(self.precision, memory_format=self._memory_format)
        moving = functional.conv2d(noisy, self._first.weight[:, :_COLOURS], None, padding=1)
        first = moving.add_(conditions.base)
        h = self._trunk(first, embedding) if deep is None else self._shallow(first, embedding, deep)
        weight, bias = (self.out.get_parameter(f"2.{name}")[:_COLOURS] for name in ("weight", "bias"))
        return functional.conv2d(self.out[:2](h.float()), weight, bias, padding=1)

    def bound_to(self, conditions: Conditions, every: int = 1, compiled: bool = False) -> Callable[[Tensor, int], Tensor]:
        """Give the network as samplers want it: a function of the noisy faces and one timestep for all.

        Args:
            conditions: of the faces.
            every: compute the deep features at every so many calls only, and reuse them in between; 1 is exact. One walk then takes one
                such function.
            compiled: by torch.compile; the first call of each size then takes minutes.
        """
        deep = Deep(every) if every > 1 else None
        kind: Any = type(self)
        run = _compiled(kind) if compiled else kind.denoise

        def denoise(x: Tensor, timestep: int) -> Tensor:
            return run(self, x, torch.full((len(x),), timestep, device=x.device), conditions, deep)

        return denoise

    def _trunk(self, h: Tensor, embedding: Tensor) -> Tensor:
        skips = [h]
        for stage in _after_first(self.input_blocks):
            h = stage(h, embedding)
            skips.append(h)
        h = self.middle_block(h, embedding)
        for stage in self.output_blocks:
            h = stage(joined(h, skips.pop()), embedding)
        return h

    def _shallow(self, h: Tensor, embedding: Tensor, deep: Deep) -> Tensor:
        """Run the full-size layers, and what lies deeper only where `deep` says that it is due."""
        skips = [h]
        for stage in self.input_blocks[1 : _BLOCKS + 1]:
            h = stage(h, embedding)
            skips.append(h)
        h = deep.features(lambda: self._below(h, embedding))
        for stage in self.output_blocks[-_BLOCKS - 1 :]:
            h = stage(joined(h, skips.pop()), embedding)
        return h

    def _below(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Run everything at half size and smaller, up to the maps that come back to full size."""
        skips = []
        for stage in self.input_blocks[_BLOCKS + 1 :]:
            h = stage(h, embedding)
            skips.append(h)
        h = self.middle_block(h, embedding)
        for stage in self.output_blocks[: -_BLOCKS - 1]:
            h = stage(joined(h, skips.pop()), embedding)
        return h

    @property
    def _first(self) -> nn.Conv2d:
        first = self.input_blocks[0].get_submodule("0")
        assert isinstance(first, nn.Conv2d)
        return first

    @property
    def _memory_format(self) -> torch.memory_format:
        channels_last = self._first.weight.is_contiguous(memory_format=torch.channels_last)
        return torch.channels_last if channels_last else torch.contiguous_format


class Deep:
    """The features of the smaller maps during one walk, computed at every so many evaluations and reused in between.

    They change slowly over neighbouring timesteps, and are half of the products.
    Source: Ma, Fang and Wang, "DeepCache: Accelerating Diffusion Models for Free", CVPR 2024.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._calls = 0
        self._kept: Tensor | None = None

    def features(self, compute: Callable[[], Tensor]) -> Tensor:
        """Give the features of this evaluation, new or kept."""
        if self._kept is None or self._calls % self._every == 0:
            self._kept = compute()
        self._calls += 1
        return self._kept


@cache
def _compiled(kind: Any) -> Callable[..., Tensor]:
    # Of the class and not of one network, so that a copy in another precision never runs with the weights of the first.
    made: Callable[..., Tensor] = torch.compile(kind.denoise)
    return made


def joined(h: Tensor, skip: Tensor) -> Tensor:
    """Put the maps of the way down behind those of the way up."""
    return torch.cat([h, skip], dim=1)


def _after_first(stages: nn.ModuleList) -> Iterable[nn.Module]:
    return list(stages)[1:]
