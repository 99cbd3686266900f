"""Whether ComfyUI is the host, and its modules when it is.

ComfyUI has loaded its own modules long before it loads a node, so they are looked up and never imported afresh: an import from
outside would parse ComfyUI's command line and claim the GPU.
"""
from __future__ import annotations

import sys
from typing import Any


def module(name: str) -> Any | None:
    """Give one of ComfyUI's modules, e.g. ``"comfy.utils"``, or None when ComfyUI is not the host."""
    return sys.modules.get(name) if "comfy.model_management" in sys.modules else None
