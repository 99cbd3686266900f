"""SyncTalk_2D's AudioEncoder: a window of mel in, a feature of 512 numbers out.

Thirteen convolutions with batch normalisation, seven of them residual, 2 812 672 parameters, in the key layout of the published
checkpoint. For use it is folded: normalisation becomes part of the convolution's weights, since both are linear.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..arrays import ArrayError, to_image, to_waveform
from ..progress import Progress, silent
from .context import Rows
from .mel import STANDARD, Mel
from .windows import WIDTH, Starts, cut_windows

INPUT = (1, STANDARD.bands, WIDTH)
"""One window: one channel, 80 mel bands, 16 columns."""

FEATURES = 512

PREFIX = "audio_encoder."
"""What the module calls its layers; the published file leaves it out."""


@dataclass(frozen=True)
class Layer:
    """One block: channels in and out, kernel, stride over (bands, columns), padding, residual or not."""

    inputs: int
    outputs: int
    kernel: int = 3
    stride: tuple[int, int] = (1, 1)
    padding: int = 1
    residual: bool = False


LAYERS = (
    Layer(1, 32), *(Layer(32, 32, residual=True),) * 2,
    Layer(32, 64, stride=(3, 1)), *(Layer(64, 64, residual=True),) * 2,
    Layer(64, 128, stride=(3, 3)), *(Layer(128, 128, residual=True),) * 2,
    Layer(128, 256, stride=(3, 2)), Layer(256, 256, residual=True),
    Layer(256, 512, padding=0), Layer(512, 512, kernel=1, padding=0),
)


def _convolution(layer: Layer) -> nn.Conv2d:
    return nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding)


class Block(nn.Module):
    """Convolution, normalisation, the block's own input added where residual, ReLU."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.residual = layer.residual
        self.conv_block = nn.Sequential(_convolution(layer), nn.BatchNorm2d(layer.outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B,inputs,H,W]`` to ``[B,outputs,H',W']``."""
        y: torch.Tensor = self.conv_block(x)
        return torch.relu(y + x if self.residual else y)


class AudioEncoder(nn.Module):
    """The network as published, layer by layer; `folded` gives the one to run."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = nn.Sequential(*(Block(layer) for layer in LAYERS))

    def blocks(self) -> list[Block]:
        """List the thirteen blocks."""
        return [block for block in self.audio_encoder if isinstance(block, Block)]

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map windows ``[B,1,80,16]`` to features ``[B,512]``, none negative.

        Raises:
            ArrayError: any other shape (15 or 17 columns would pass through unnoticed, 128 bands would come out misshapen).
        """
        check_windows(windows)
        features: torch.Tensor = self.audio_encoder(windows)
        return features.flatten(1)


class FoldedEncoder(nn.Module):
    """The same function with every normalisation folded into the convolution before it."""

    def __init__(self, convolutions: Iterable[nn.Conv2d]) -> None:
        super().__init__()
        self._layers = nn.Sequential(*convolutions)

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """List the thirteen convolutions."""
        return [layer for layer in self._layers if isinstance(layer, nn.Conv2d)]

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map windows ``[B,1,80,16]`` to features ``[B,512]``, none negative."""
        check_windows(windows)
        x = windows
        for layer, convolution in zip(LAYERS, self.convolutions, strict=True):
            y = convolution(x)
            x = torch.relu_(y.add_(x) if layer.residual else y)
        return x.flatten(1)


def check_windows(windows: torch.Tensor) -> None:
    """Refuse anything but ``[B,1,80,16]``.

    Raises:
        ArrayError: says what came and, for the enhanced mel, why it cannot be used.
    """
    if windows.ndim == 4 and tuple(windows.shape[1:]) == INPUT:
        return
    shape = list(windows.shape)
    reason = ""
    if windows.ndim == 4 and windows.shape[2] == 128:
        reason = (" 128 bands are the enhanced preset (22.05 kHz): no published encoder was trained on it, it is there to look at and to "
                  "export. Use the standard preset.")
    raise ArrayError(f"The encoder got windows of shape {shape}; it takes [B,1,80,16]: 80 mel bands, 16 columns (0.2 s).{reason}")


def fold(network: AudioEncoder) -> FoldedEncoder:
    """Fold every normalisation into its convolution's weights, in float64, and lay them out channels-last.

    The residual could be folded too (1 more on each channel's weight for itself at the kernel's centre); measured, that gains no
    speed and costs accuracy.
    """
    convolutions = []
    with torch.no_grad():
        for layer, block in zip(LAYERS, network.blocks(), strict=True):
            convolution: Any = block.conv_block[0]
            normalisation: Any = block.conv_block[1]
            scale = normalisation.weight.double() / torch.sqrt(normalisation.running_var.double() + normalisation.eps)
            folded: Any = _convolution(layer)
            folded.weight.copy_(convolution.weight.double() * scale[:, None, None, None])
            folded.bias.copy_((convolution.bias.double() - normalisation.running_mean.double()) * scale + normalisation.bias.double())
            convolutions.append(folded)
    return FoldedEncoder(convolutions).to(memory_format=torch.channels_last).eval().requires_grad_(False)


def network_from_state(state: Mapping[str, object], name: str) -> AudioEncoder:
    """Build the network from a state dict, strictly.

    Args:
        state: keys flat (``0.conv_block.0.weight``) or with ``audio_encoder.`` before them, float16, bfloat16, float32 or float64.
        name: how the message calls the file.

    Raises:
        ValueError: lists the keys that are missing, unknown, or of the wrong shape, and those that hold NaN or infinity.
    """
    prefixed = {k if k.startswith(PREFIX) else PREFIX + k: v for k, v in state.items()}
    network = AudioEncoder()
    known = network.state_dict()
    counters = {k for k in known if k.endswith("num_batches_tracked")}  # only training reads them; old files lack them
    faults = [f"missing: {k}" for k in known if k not in prefixed and k not in counters]
    faults += [f"unknown: {k}" for k in prefixed if k not in known]
    given: dict[str, torch.Tensor] = {}
    for key in (k for k in known if k in prefixed):
        value, wanted = prefixed[key], known[key]
        if not isinstance(value, torch.Tensor):
            faults.append(f"not a tensor but {type(value).__name__}: {key}")
        elif value.numel() != wanted.numel() or (value.shape != wanted.shape and key not in counters):
            faults.append(f"shape {list(value.shape)}, wanted {list(wanted.shape)}: {key}")
        elif not torch.isfinite(value.float()).all():
            faults.append(f"NaN or infinity: {key}")
        else:
            given[key] = value.to(wanted.dtype).reshape(wanted.shape)
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults[:12])
        more = f"\n  and {len(faults) - 12} more" if len(faults) > 12 else ""
        raise ValueError(f"{name} is not a checkpoint of the AudioEncoder (13 blocks, {len(known)} entries):\n{shown}{more}")
    network.load_state_dict(given | {k: known[k] for k in counters - given.keys()})
    return network.eval()


def encode(network: nn.Module, mel: Mel, starts: Starts, *, batch: int = 64, progress: Progress = silent) -> Rows:
    """Run the encoder on windows of a mel, a batch at a time, on the device that its weights are on.

    Args:
        network: `AudioEncoder` or, faster, `FoldedEncoder`.
        mel: ``[80,T]`` float32.
        starts: ``[n]`` first columns of the windows; windows that occur more than once are run once.
        batch: windows a step.
        progress: told of the windows done; may raise to cancel.

    Returns:
        ``[n,512]`` float32.

    Raises:
        ArrayError: a mel of other than 80 bands, or a window outside of it.
    """
    device = next(network.parameters()).device
    places, inverse = np.unique(starts, return_inverse=True)
    features = np.empty((len(places), FEATURES), np.float32)
    # TensorFloat-32 would cost three digits; the network is small enough to go without.
    with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
        for first in range(0, len(places), batch):
            windows = to_image(cut_windows(mel, places[first : first + batch])).to(device, memory_format=torch.channels_last)
            features[first : first + batch] = to_waveform(network(windows), "features")
            progress(min(first + batch, len(places)), len(places))
    return features[inverse]
