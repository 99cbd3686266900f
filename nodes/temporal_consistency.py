"""The Temporal Consistency node."""
from __future__ import annotations

from typing import Any

from ..core.video import temporal
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked, process
from .names import OPS, category


class TemporalConsistency:
    """See web/docs/TalkiesTemporalConsistency.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Takes flicker out of a clip along its motion, and leaves fast speech as it is."
    SEARCH_ALIASES = ["deflicker", "flicker", "temporal smoothing", "ema", "shimmer", "optical flow", "stabilize colors"]
    RETURN_TYPES = ("IMAGE", OPS)
    RETURN_NAMES = ("images", "ops")
    OUTPUT_TOOLTIPS = (IMAGES_OUT, OPS_OUT)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return frame_inputs(temporal.TemporalConsistency)

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, node_id: str | None = None, **settings: Any) -> tuple[Any, ...]:
        operation = masked(temporal.TemporalConsistency(**settings), mask)
        return process(operation, images, "Temporal Consistency", node_id), appended(ops, operation)
