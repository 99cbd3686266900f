"""The Frame Adjust node."""
from __future__ import annotations

from typing import Any

from ..core.adjust import FrameAdjust as Adjust
from ..core.arrays import to_frames, to_image
from ..core.measure.plot import plot_series
from ..core.measure.statistics import frame_statistics
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked, process
from .names import OPS, REPORT, category


class FrameAdjust:
    """See web/docs/TalkiesFrameAdjust.md."""

    CATEGORY = category("Look")
    DESCRIPTION = "Gamma, contrast and brightness, repair of NaN pixels, and the statistics of every frame."
    SEARCH_ALIASES = ["gamma", "contrast", "brightness", "levels", "statistics", "nan", "flicker"]
    RETURN_TYPES = ("IMAGE", OPS, REPORT, "IMAGE")
    RETURN_NAMES = ("images", "ops", "report", "plot")
    OUTPUT_TOOLTIPS = (
        IMAGES_OUT,
        OPS_OUT,
        "Mean, spread, extremes and change from frame to frame, of the frames that come out.",
        "The same figures as a picture: one curve each over the frames.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return frame_inputs(Adjust)

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, node_id: str | None = None, **settings: Any) -> tuple[Any, ...]:
        operation = masked(Adjust(**settings), mask)
        out = process(operation, images, "Frame Adjust", node_id)
        chain = appended(ops, operation)
        if images is None:
            return out, chain, out, out
        report = frame_statistics(to_frames(out)).report("Frame Adjust")
        return out, chain, report, to_image(plot_series(report)[None])
