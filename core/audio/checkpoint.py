"""Load the AudioEncoder's checkpoint: strictly, without running anything that the file may hold."""
from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from .encoder import FoldedEncoder, fold, network_from_state

LARGEST = 64 * 2**20
"""Bytes. The published file is 11 MB; more than this is some other network."""

DAMAGE = (safetensors.SafetensorError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error,
          AssertionError, OverflowError, MemoryError)
"""What reading rubbish as a checkpoint has been seen to raise, depending on the rubbish."""


@dataclass(frozen=True, eq=False)
class Encoder:
    """A loaded encoder: the folded network, the sha256 of the file it came from, and the file's name."""

    network: FoldedEncoder
    sha256: str
    name: str


def load_encoder(path: Path | str) -> Encoder:
    """Read a checkpoint (.pth, .pt or .safetensors; flat keys or ``audio_encoder.`` before them; float16 or float32).

    The file may hold tensors and plain containers only (``weights_only``); a pickle that would call anything is refused.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint, a pickle with code in it, or entries missing, unknown or misshapen (they are listed).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint {path}. Give SyncTalk_2D's audio_visual_encoder.pth (about 11 MB).")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} has {path.stat().st_size / 2**20:.0f} MB; SyncTalk_2D's audio_visual_encoder.pth has about 11.")
    content = path.read_bytes()
    state = _tensors(content, path)
    return Encoder(fold(network_from_state(state, path.name)), hashlib.sha256(content).hexdigest(), path.name)


def _tensors(content: bytes, path: Path) -> Mapping[str, object]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load(content)
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path.name} is refused: it is a damaged file, or a pickle that holds more than tensors and would run code when loaded "
            f"({str(error).splitlines()[0]})."
        ) from error
    except DAMAGE as error:
        raise ValueError(f"{path.name} cannot be read as a PyTorch checkpoint: it is damaged or of another kind ({error}).") from error
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise ValueError(f"{path.name} holds a {type(state).__name__}; a dict of weights by name is wanted.")
    return state
