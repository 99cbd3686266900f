"""The Sharpen node."""
from __future__ import annotations

from typing import Any

from ..core.restore import sharpen
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked, process
from .names import OPS, category


class Sharpen:
    """See web/docs/TalkiesSharpen.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Brings out detail without halos and without raising noise, in stills and clips."
    SEARCH_ALIASES = ["unsharp mask", "usm", "detail", "clarity", "sharpness", "deblur"]
    RETURN_TYPES = ("IMAGE", OPS)
    RETURN_NAMES = ("images", "ops")
    OUTPUT_TOOLTIPS = (IMAGES_OUT, OPS_OUT)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return frame_inputs(sharpen.Sharpen)

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, node_id: str | None = None, **settings: Any) -> tuple[Any, ...]:
        operation = masked(sharpen.Sharpen(**settings), mask)
        return process(operation, images, "Sharpen", node_id), appended(ops, operation)
