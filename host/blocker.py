"""What a node gives for an output it has nothing for."""
from __future__ import annotations

from dataclasses import dataclass

from .comfy import module


@dataclass(frozen=True)
class Blocked:
    """Stands for a missing result; the node that receives it stops with the message."""

    message: str | None = None


def blocked(message: str) -> object:
    """Give the host's own sentinel: ComfyUI's ExecutionBlocker inside ComfyUI, `Blocked` elsewhere."""
    graph = module("comfy_execution.graph")
    blocker: object = graph.ExecutionBlocker(message) if graph else Blocked(message)
    return blocker
