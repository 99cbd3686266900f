"""The denoise setting of realesr-general-x4v3: its weights interpolated with those of its partner that keeps noise.

Source: Wang et al., "Deep network interpolation for continuous imagery effect transition", CVPR 2019.
"""
from __future__ import annotations

from pathlib import Path

import torch

from .family import FOLDER, ModelError, published


def weak_partner(path: Path) -> Path:
    """Give the ``wdn`` file beside ``...general-x4v3``.

    Raises:
        ModelError: the model is another one, or the partner is missing.
    """
    if "general-x4v3" not in path.name:
        raise ModelError(f"denoise below 1 is for realesr-general-x4v3 alone; {path.name} has no partner to blend with. Set denoise to 1.")
    partner = path.with_name(path.name.replace("general-x4v3", "general-wdn-x4v3"))
    if not partner.is_file():
        known = published(partner.name)
        source = f" Download it from {known.url} (about {known.megabytes:g} MB) and put it there." if known else ""
        raise ModelError(f"denoise below 1 needs {partner.name} beside {path.name} in {FOLDER}.{source}")
    return partner


def blend(strong: dict[str, torch.Tensor], weak: dict[str, torch.Tensor], denoise: float, name: str) -> dict[str, torch.Tensor]:
    """Give ``denoise * strong + (1 - denoise) * weak``, tensor by tensor.

    Args:
        strong: the model's tensors; what denoise 1 gives.
        weak: those of the partner that keeps noise; what denoise 0 gives.
        denoise: 0..1.
        name: how the message calls the model.

    Raises:
        ModelError: the two are not of one architecture.
    """
    if {k: v.shape for k, v in strong.items()} != {k: v.shape for k, v in weak.items()}:
        raise ModelError(f"{name} and its wdn partner differ in their tensors, so they cannot be blended. Download both again.")
    return {key: torch.lerp(weak[key].float(), tensor.float(), denoise) for key, tensor in strong.items()}
