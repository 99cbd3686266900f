"""Show any value as text."""
from __future__ import annotations

import json
from typing import Any

from ...nodes.names import ANY
from .folders import FolderNode


class PreviewAny(FolderNode):
    """ComfyUI's Preview Any."""

    DISPLAY_NAME = "Preview Any"
    CATEGORY = "utils"
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"source": (ANY, {})}}

    def run(self, source: Any = None) -> dict[str, Any]:
        """Give text as it is, plain values as JSON, and of anything else what `str` makes of it."""
        if isinstance(source, (str, int, float)):
            return {"ui": {"text": (str(source),)}}
        try:
            text = json.dumps(source)
        except (TypeError, ValueError):
            text = str(source)
        return {"ui": {"text": (text,)}}
