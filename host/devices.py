"""Devices and memory: ComfyUI's model management, or plain torch."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..core.lipsync.model import free_memory as torch_free_memory
from .comfy import module


def compute_device() -> torch.device:
    """Give the device that networks run on."""
    management = module("comfy.model_management")
    if management:
        device: torch.device = management.get_torch_device()
        return device
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_with_room(memory: int) -> torch.device:
    """Give the device that networks run on, once ComfyUI's other models have made room there for so many bytes."""
    device = compute_device()
    management: Any = module("comfy.model_management")
    if management and device.type != "cpu":
        management.free_memory(memory, device)
    return device


def image_device() -> torch.device:
    """Give the device that IMAGE tensors travel on between nodes (the CPU, unless ComfyUI was told otherwise)."""
    management = module("comfy.model_management")
    device: torch.device = management.intermediate_device() if management else torch.device("cpu")
    return device


def out_of_memory() -> tuple[type[BaseException], ...]:
    """Give the exception types that mean the device is out of memory, for an ``except`` that retries with smaller pieces."""
    management = module("comfy.model_management")
    known: tuple[type[BaseException], ...] = (torch.cuda.OutOfMemoryError, MemoryError)
    return (*known, management.OOM_EXCEPTION) if management else known


def free_memory(device: torch.device) -> int:
    """Give the bytes that a device has free; 0 where that cannot be told."""
    management: Any = module("comfy.model_management")
    return int(management.get_free_memory(device)) if management else torch_free_memory(device)


@contextmanager
def loaded(network: torch.nn.Module, memory: int = 0) -> Iterator[torch.nn.Module]:
    """Hold a network on the compute device inside the block.

    Inside ComfyUI it goes through a ModelPatcher, so that ComfyUI can evict others for it and it for others later. The network keeps its
    patcher: ComfyUI takes a network that outlives its patcher for a leak.

    Args:
        network: any module; its parameters move.
        memory: bytes that a run needs beside the parameters.
    """
    device = compute_device()
    management: Any = module("comfy.model_management")
    if management:
        patcher = _patcher(network, device, management.unet_offload_device())
        management.load_models_gpu([patcher], memory_required=memory)
        yield patcher.model
    else:
        yield network.to(device)


@dataclass
class _Patched:
    """What a network carries of its host; a copy of the network is another network, with a patcher of its own."""

    patcher: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Patched:
        return _Patched()


def _patcher(network: torch.nn.Module, device: torch.device, offload: torch.device) -> Any:
    carried = network.__dict__.setdefault("_talkies_patched", _Patched())
    if carried.patcher is None:
        patching: Any = module("comfy.model_patcher")
        carried.patcher = patching.ModelPatcher(network, load_device=device, offload_device=offload)
    return carried.patcher
