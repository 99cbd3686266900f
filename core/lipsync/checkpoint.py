"""Loading the published weights: only tensors, every one of them, and a plain word about what a wrong file is."""
from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .network import LipNetwork

PUBLISHED = "e7.24.1.3_model260000_paper.pt"
TENSORS = 632
PARAMETERS = 101_670_630

_HALF_BYTES = 2 * PARAMETERS
_FLOATS = (torch.float16, torch.bfloat16, torch.float32)

# What else people have in their model folders, by a part of a tensor's name that only it has.
_OTHERS = {
    "face_encoder_blocks.": "a Wav2Lip generator",
    "face_decoder_blocks.": "a Wav2Lip generator",
    "face_encoder.0.conv_block": "Wav2Lip's SyncNet expert",
    "netfcaud.": "a SyncNet",
    "conv3_3_norm.": "the S3FD face detector",
    "model.diffusion_model.": "a Stable Diffusion checkpoint",
    "down_blocks.": "a diffusers U-Net (such as LatentSync's or Stable Diffusion's)",
    "body.0.rdb1.": "an ESRGAN upscaler",
    "stylegan_decoder.": "a GFPGAN face restorer",
}


class CheckpointError(ValueError):
    """A file that is not the published Diff2Lip network; the message says what it is and what to do."""


def load(path: Path, precision: torch.dtype = torch.float32) -> LipNetwork:
    """Load the published network, from a float16, bfloat16 or float32 file.

    Args:
        path: a ``.pt`` file as published, or the same tensors in ``.safetensors``.
        precision: of the feature maps; see `LipNetwork.use_precision`.

    Returns:
        The network on the CPU, frozen, doublings folded; `LipNetwork.placed` moves it.

    Raises:
        CheckpointError: missing, truncated, not made of tensors only, another network, or values that are not finite.
    """
    tensors = _read(path)
    with torch.device("meta"):
        network = LipNetwork()
    _check(tensors, {k: tuple(v.shape) for k, v in network.state_dict().items()}, path.name)
    network.to_empty(device="cpu")
    network.load_state_dict(dict(tensors), strict=True)
    return network.eval().requires_grad_(False).fuse().use_precision(precision)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path} is not there. The published file is {PUBLISHED} (about 407 MB, CC BY-NC 4.0); put it there by hand.")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    _refuse_text(head, path.name, size)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise _truncated(path.name, size)
    try:
        read = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "truncated" in str(error) or "Ran out of input" in str(error):
            raise _truncated(path.name, size) from error
        raise CheckpointError(f"{path.name} holds Python objects beside tensors, and loading it could run code; the published file holds "
                              "tensors only. Download it again from its authors.") from error
    except EOFError as error:
        raise _truncated(path.name, size) from error
    except (RuntimeError, ValueError, KeyError, IndexError, OSError) as error:
        raise CheckpointError(f"{path.name} ({_megabytes(size)}) cannot be read as a PyTorch file: it is damaged, or its download "
                              f"broke off. Download it again. ({error})") from error
    if not isinstance(read, Mapping):
        raise CheckpointError(f"{path.name} holds a {type(read).__name__}; a table of named tensors is wanted. {_advice()}")
    return read


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(f"{path.name} needs the safetensors package, which is not installed.") from error
    try:
        tensors: Mapping[str, Any] = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is damaged, or its download broke off. Download it again. ({error})") from error
    return tensors


def _check(tensors: Mapping[str, Any], wanted: Mapping[str, tuple[int, ...]], name: str) -> None:
    """Compare names, shapes, kinds and values with what the network wants."""
    inner = tensors.get("state_dict", tensors.get("model", tensors))
    named = inner if isinstance(inner, Mapping) else tensors
    if set(tensors) != set(wanted):
        what = _identity(named)
        if what:
            raise CheckpointError(f"{name} is {what}, not the Diff2Lip network. {_advice()}")
        if named is not tensors:
            beside = _some(k for k in tensors if tensors[k] is not inner) or "nothing else"
            raise CheckpointError(f"{name} wraps its tensors, with {beside}; the published file holds the tensors alone. {_advice()}")
        missing, unknown = [k for k in wanted if k not in tensors], [k for k in tensors if k not in wanted]
        if len(missing) == len(wanted):
            raise CheckpointError(f"{name} is some other network: none of its {len(tensors)} tensors has a name of Diff2Lip's. {_advice()}")
        parts = [f"lacks {len(missing)} of the {TENSORS} tensors ({_some(missing)})"] if missing else []
        parts += [f"has {len(unknown)} unknown ones ({_some(unknown)})"] if unknown else []
        raise CheckpointError(f"{name} is not the published Diff2Lip network: it {' and '.join(parts)}. {_advice()}")
    for key, shape in wanted.items():
        value = tensors[key]
        if not isinstance(value, Tensor) or value.dtype not in _FLOATS:
            kind = str(value.dtype).removeprefix("torch.") if isinstance(value, Tensor) else type(value).__name__
            raise CheckpointError(f"{name}: {key} is {kind}; float16, bfloat16 or float32 tensors are wanted.")
        if tuple(value.shape) != shape:
            raise CheckpointError(f"{name} is {_identity(named) or 'a Diff2Lip network of another size'}: {key} has shape "
                                  f"{list(value.shape)}, the published one {list(shape)}. {_advice()}")
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{name}: {key} holds NaN or infinity; the file is damaged. Download it again.")


def _identity(named: Mapping[str, Any]) -> str | None:
    """Say what a file is from its tensors' names and shapes, when it is something known."""
    shapes = {k.removeprefix("module."): tuple(v.shape) for k, v in named.items() if isinstance(v, Tensor)}
    for part, what in _OTHERS.items():
        if any(part in k for k in shapes):
            return what
    first = shapes.get("input_blocks.0.0.weight")
    if not first or len(first) != 4:
        return None
    if first[1] != 9 or not any(k.startswith("audio_encoder.") for k in shapes):
        return f"a guided-diffusion U-Net for {first[1]} input channels without the speech input"
    stages = len({k.split(".")[1] for k in shapes if k.startswith("input_blocks.")})
    if stages == 18 or first[0] == 256:
        total = sum(math.prod(s) for s in shapes.values())
        return f"a Diff2Lip network for 256x256 faces ({total:,} parameters, width {first[0]}), for which no weights were published"
    return None


def _refuse_text(head: bytes, name: str, size: int) -> None:
    start = head.lstrip().lower()
    if not size:
        raise CheckpointError(f"{name} is empty. Download it again.")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CheckpointError(f"{name} is a web page, not weights: the download link wanted a confirmation. Open it in a browser.")
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{name} is a Git LFS pointer, not the weights. Fetch it with `git lfs pull`.")


def _truncated(name: str, size: int) -> CheckpointError:
    return CheckpointError(f"{name} is {_megabytes(size)} and breaks off before its end: a truncated download (the whole file is about "
                           f"{_megabytes(2 * _HALF_BYTES)}, or {_megabytes(_HALF_BYTES)} in half precision). Download it again.")


def _advice() -> str:
    return f"Wanted is {PUBLISHED}, {TENSORS} tensors, {PARAMETERS:,} parameters."


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"
