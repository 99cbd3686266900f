"""The LB-CLAHE node."""
from __future__ import annotations

from typing import Any

from ..core.arrays import to_frames, to_image
from ..core.progress import part
from ..core.restore.clahe import lbclahe
from ..core.restore.clahe.report import clahe_report
from ..host.blocker import blocked
from ..host.progress import node_progress
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked
from .names import OPS, REPORT, category
from .panel import with_panel


class LBCLAHE:
    """See web/docs/TalkiesLBCLAHE.md."""

    CATEGORY = category("Look")
    DESCRIPTION = ("Brings out local contrast and lifts dark pictures: adaptive equalisation of the lightness that keeps hues, "
                   "halos and noise in check, chooses its own strength, and does not flicker.")
    SEARCH_ALIASES = ["clahe", "local contrast", "histogram equalization", "equalize", "lift shadows", "low light", "dehaze", "brighten",
                      "adaptive contrast"]
    RETURN_TYPES = ("IMAGE", OPS, REPORT)
    RETURN_NAMES = ("images", "ops", "report")
    OUTPUT_TOOLTIPS = (
        IMAGES_OUT,
        OPS_OUT,
        "The clip limits and tiles that were chosen, the noise found, and how steady the mapping is from frame to frame.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return frame_inputs(lbclahe.LBCLAHE)

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, node_id: str | None = None, **settings: Any) -> Any:
        operation = lbclahe.LBCLAHE(**settings)
        chain = appended(ops, masked(operation, mask))
        if images is None:
            out = blocked("LB-CLAHE: no images are linked, so there are none to pass on. Link images, or use only the ops output.")
            return out, chain, out
        frames, progress = to_frames(images, "LBCLAHE: images"), node_progress("LB-CLAHE", node_id)
        seen = _Seen(progress, len(frames))
        ready = operation.survey([(0, frames)], seen) if operation.over_time == "shot" else operation
        made = masked(ready, mask)(frames, 0, part(progress, 1, 3))
        report = clahe_report(ready, frames, made, part(progress, 2, 3))
        return with_panel((to_image(made), chain, report), report)


class _Seen:
    """The first third of the node's progress: frames surveyed."""

    def __init__(self, progress: Any, frames: int) -> None:
        self._progress, self._frames = progress, frames

    def __call__(self, done: int, total: int) -> None:
        self._progress(done, 3 * self._frames)
