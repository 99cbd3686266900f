"""Messages to ComfyUI's page while a node is at work."""
from __future__ import annotations

from typing import Any

from .comfy import module


def server() -> Any | None:
    """Give ComfyUI's server, or None where there is none."""
    return getattr(getattr(module("server"), "PromptServer", None), "instance", None)


def send_to_page(event: str, message: dict[str, Any]) -> None:
    """Send JSON values to the page that queued the workflow, where scripts listen by ``api.addEventListener(event, ...)``.

    Without a server nothing happens.
    """
    found = server()
    if found is not None:
        found.send_sync(event, message, getattr(found, "client_id", None))
