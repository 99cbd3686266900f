"""HuBERT features for the networks trained on them: two steps of 20 ms a video frame, through transformers when it is there."""
from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..arrays import Waveform, as_float32, to_image, to_waveform
from ..progress import Progress, silent
from .context import Rows

KERNEL, STRIDE = 400, 320
"""Samples at 16 kHz that one step hears, and from step to step: 20 ms."""

CHUNK = 320_000
"""Samples a run: 1000 steps. The network attends within a run only, so this is part of the published recipe."""

STEPS = 2
FEATURES = 1024
STEPS_PER_SECOND = Fraction(16000, STRIDE)


@dataclass(frozen=True, eq=False)
class Hubert:
    """A loaded HuBERT: the network, the sha256 of its weights, and the folder's name."""

    network: nn.Module
    sha256: str
    name: str


def load_hubert(folder: Path | str) -> Hubert:
    """Load HuBERT from a folder with ``config.json`` and its weights (facebook/hubert-large-ls960-ft); nothing is downloaded.

    Args:
        folder: the folder, or a weight file in it.

    Raises:
        FileNotFoundError: no such folder, or no config.json or weights in it.
        ImportError: transformers is not installed.
        ValueError: a network whose features are not 1024 numbers.
    """
    folder = Path(folder)
    folder = folder.parent if folder.is_file() else folder
    weights = next((p for name in ("model.safetensors", "pytorch_model.bin") if (p := folder / name).is_file()), None)
    if weights is None or not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no HuBERT. Put config.json and model.safetensors (or pytorch_model.bin) of "
            "facebook/hubert-large-ls960-ft there.")
    try:
        from transformers import HubertModel
    except ImportError as error:
        raise ImportError('HuBERT runs through transformers, which is not installed. Install it, or hand in features.') from error
    loader: Any = HubertModel
    network: Any = loader.from_pretrained(str(folder), local_files_only=True).eval().requires_grad_(False)
    if network.config.hidden_size != FEATURES:
        size = network.config.hidden_size
        raise ValueError(f"{folder.name} gives {size} numbers a step; the pictures' network takes {FEATURES}: HuBERT large.")
    with weights.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return Hubert(network, digest.hexdigest(), folder.name)


def natural_frames(samples: int, fps: Fraction) -> int:
    """Count the video frames that a sound of `samples` samples at 16 kHz has both HuBERT steps for, at least 1."""
    steps = max(0, (samples - (KERNEL - STRIDE)) // STRIDE)
    # Frame i ends with step floor(50 i / fps) + 1, which must be there: i < (steps - 1) * fps / 50.
    return max(1, math.ceil((steps - 1) * fps / STEPS_PER_SECOND))


def hubert_rows(
    network: nn.Module, sound: Waveform, fps: Fraction, frames: int | None = None, progress: Progress = silent
) -> Rows:
    """Run HuBERT on a sound and deal its steps out to video frames.

    The sound is brought to zero mean and unit variance as a whole, as HuBERT's own feature extractor does, then run in stretches of 320 000
    samples that overlap by what one step hears beyond its stride. Frame i takes steps ``floor(50 i / fps)`` and the next: at 25 fps every
    step once, and an odd last one not at all. Frames after the sound hear silence.

    Args:
        network: HubertModel, on the device to run on.
        sound: ``[1,T]`` float32 at 16 kHz.
        fps: video frames a second.
        frames: how many; None for as many as the sound lasts.
        progress: told of the stretches done; may raise to cancel.

    Returns:
        ``[frames, 2, 1024]`` float32.
    """
    count = natural_frames(sound.shape[1], fps) if frames is None else frames
    first = np.arange(count, dtype=np.int64) * (STEPS_PER_SECOND / fps).numerator // (STEPS_PER_SECOND / fps).denominator
    mean, spread = float(sound.mean(dtype=np.float64)), float(sound.std(dtype=np.float64))
    scale = 1 / np.sqrt(spread**2 + 1e-7)
    normal = ((sound - mean) * scale).astype(np.float32)
    # Silence after the sound is silence before it was normalised.
    missing = max(KERNEL, (int(first[-1]) + 1) * STRIDE + KERNEL) - normal.shape[1] if frames is not None else KERNEL - normal.shape[1]
    if missing > 0:
        normal = np.pad(normal, ((0, 0), (0, missing)), constant_values=-mean * scale)
    steps = _steps(network, normal, progress)
    taken = np.minimum(first[:, None] + np.arange(STEPS), len(steps) - 1)
    return as_float32(steps[taken])


def _steps(network: nn.Module, normal: Waveform, progress: Progress) -> Rows:
    device = next(network.parameters()).device
    total = (normal.shape[1] - (KERNEL - STRIDE)) // STRIDE
    found = []
    with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
        for start in range(0, total * STRIDE, CHUNK):
            stretch = normal[:, start : start + CHUNK + KERNEL - STRIDE]
            hidden: Any = network(to_image(stretch).to(device))
            found.append(to_waveform(hidden.last_hidden_state, "HuBERT's features"))
            progress(min(start + CHUNK, total * STRIDE), total * STRIDE)
    steps: Rows = np.concatenate(found)
    return steps
