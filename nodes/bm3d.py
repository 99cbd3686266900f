"""The BM3D node."""
from __future__ import annotations

import time
from typing import Any

from ..core.arrays import to_frames, to_image
from ..core.operation import run
from ..core.restore.bm3d import operation as bm3d
from ..core.restore.bm3d.figures import denoising_report
from ..core.restore.bm3d.measured import measured_noise
from ..host.blocker import blocked
from ..host.progress import node_progress
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked
from .names import OPS, REPORT, category
from .panel import with_panel


class BM3D:
    """See web/docs/TalkiesBM3D.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Takes noise out of stills and clips by block matching and 3-D filtering, and keeps the detail."
    SEARCH_ALIASES = ["denoise", "noise reduction", "remove noise", "remove grain", "clean up", "v-bm3d", "video denoise", "jpeg artifacts"]
    RETURN_TYPES = ("IMAGE", OPS, REPORT)
    RETURN_NAMES = ("images", "ops", "report")
    OUTPUT_TOOLTIPS = (
        IMAGES_OUT,
        OPS_OUT,
        "Noise measured and noise removed, what ran, how long it took, and whether what was removed was noise.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return frame_inputs(bm3d.BM3D)

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, node_id: str | None = None, **settings: Any) -> Any:
        operation = bm3d.BM3D(**settings)
        chain = appended(ops, masked(operation, mask))
        if images is None:
            nothing = blocked("BM3D: no images are linked, so there are none to pass on. Link images, or use only the ops output.")
            return nothing, chain, nothing
        frames, progress, started = to_frames(images, "BM3D: images"), node_progress("BM3D", node_id, "steps"), time.monotonic()
        measured = measured_noise([(0, frames)], operation.colour_space)
        if operation.needs_survey:
            operation = operation.with_noise(measured)
        made = run(masked(operation, mask), frames, progress)
        report = denoising_report(operation, measured, frames, made, time.monotonic() - started)
        return with_panel((to_image(made), chain, report), report)
