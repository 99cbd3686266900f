"""Reading a super-resolution network from its file, by spandrel, the loader that ComfyUI itself uses."""
from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from .denoise_blend import blend, weak_partner
from .family import ENDINGS, ModelError

State = dict[str, torch.Tensor]
"""A network's tensors by name, without wrapper or prefix."""


def load_model(path: Path, denoise: float = 1.0) -> Any:
    """Give the network in a file as spandrel's ImageModelDescriptor, in evaluation mode on the CPU.

    Args:
        path: ``.pth``, ``.pt``, ``.ckpt`` or ``.safetensors``; the tensors bare or under ``params_ema``, ``params`` and the like.
        denoise: below 1, the weights are blended with those of the file's ``wdn`` partner (realesr-general-x4v3 has one).

    Raises:
        ModelError: the file cannot be read, is of no architecture that spandrel knows, or its network takes no single image;
            or `denoise` is below 1 and there is no partner to blend with.
    """
    state = read_state(path)
    if denoise != 1:
        state = blend(state, read_state(weak_partner(path)), denoise, path.name)
    return describe(state, path.name)


def read_state(path: Path) -> State:
    """Read the tensors of a file, without running any code that the file may carry.

    Raises:
        ModelError: another kind of file, damaged, or with something in it beside tensors.
    """
    from spandrel import canonicalize_state_dict

    if path.suffix.lower() not in ENDINGS:
        raise ModelError(f"{path.name} is no model file; a file ending in {', '.join(ENDINGS)} is wanted.")
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(str(path))
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors has an error type of its own, known only once it is imported
        expected = (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)
        if isinstance(error, expected) or "safetensor" in repr(error).lower():
            raise ModelError(f"{path.name} cannot be read as a model ({_first_line(error)}). Download it again.") from error
        raise
    if not isinstance(state, dict) or not state:
        raise ModelError(f"{path.name} holds a {type(state).__name__}; a table of tensors by name is wanted.")
    plain: State = canonicalize_state_dict(state)
    return plain


def describe(state: State, name: str) -> Any:
    """Build the network that a table of tensors belongs to, as spandrel's ImageModelDescriptor.

    Raises:
        ModelError: no architecture that spandrel knows, or one that takes something other than a single image.
    """
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    try:
        found = ModelLoader().load_from_state_dict(dict(state))  # spandrel empties the table that it is given
    except UnsupportedModelError as error:
        raise ModelError(
            f"{name} is of no architecture that spandrel knows; a super-resolution network, e.g. Real-ESRGAN, is wanted.") from error
    except (RuntimeError, KeyError, ValueError, AssertionError, AttributeError) as error:
        raise ModelError(f"{name} looks like a known network, but its tensors do not fit it ({_first_line(error)}).") from error
    return checked(found, ImageModelDescriptor, name).eval()


def checked(found: Any, kind: type, name: str) -> Any:
    """Refuse a network that does not turn one RGB or gray image into another.

    Raises:
        ModelError: names what it is instead.
    """
    if not isinstance(found, kind):
        raise ModelError(f"{name} is a {type(found).__name__}; a network that takes a single image is wanted (no mask, no second image).")
    channels: Any = (found.input_channels, found.output_channels)  # type: ignore[attr-defined]
    if channels not in ((1, 1), (3, 3)):
        raise ModelError(f"{name} takes {channels[0]} channels and gives {channels[1]}; a network for RGB or gray images is wanted.")
    return found


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
