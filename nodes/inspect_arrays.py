"""The Inspect Arrays node."""
from __future__ import annotations

from typing import Any

from ..core.inspect import describe
from .form import InputTypes
from .names import ANY, category


class InspectArrays:
    """See web/docs/TalkiesInspectArrays.md."""

    CATEGORY = category("Inspect")
    DESCRIPTION = "Tells what is on a wire: shape, dtype, layout, device, range, NaN count and bytes of any input."
    SEARCH_ALIASES = ["debug", "shape", "dtype", "info", "print", "tensor"]
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("description",)
    OUTPUT_TOOLTIPS = ("One line an array, also shown on the node.",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {"required": {"anything": (ANY, {"tooltip": "Any wire: images, masks, audio, video, models, tracks, text."})}}

    def run(self, anything: Any) -> dict[str, Any]:
        text = "\n".join(describe(anything))
        return {"ui": {"text": [text]}, "result": (text,)}
