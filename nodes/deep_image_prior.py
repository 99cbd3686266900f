"""The Deep Image Prior node."""
from __future__ import annotations

from typing import Any

from ..core.arrays import to_image
from ..core.masked import Mask
from ..core.operation import Operation, run
from ..core.restore.prior import deep_image_prior
from ..core.restore.prior.fit import Fit, Moment
from ..core.restore.prior.outcome import plot, report, report_so_far
from ..core.restore.prior.runtime import Runtime
from ..host.blocker import blocked
from ..host.devices import device_with_room
from ..host.progress import node_progress
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked
from .names import OPS, REPORT, category
from .panel import show_while_running, with_panel

ROOM = 2**30
"""Bytes that a fit of a tile of 512 px takes, with room to spare; other models make way for it on a GPU."""

MASK_IN = ("MASK", {"tooltip": "inpaint: white is filled, black keeps every pixel bit for bit. denoise and artefacts: white changes. "
                               "One mask for all frames, or one a frame."})


class DeepImagePrior:
    """See web/docs/TalkiesDeepImagePrior.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Fills holes, enlarges, and cleans unknown noise by a network fitted to the picture alone; it stops by itself."
    SEARCH_ALIASES = ["dip", "inpaint", "zero-shot", "noise2noise", "zs-n2n", "deep decoder", "denoise", "jpeg artifacts", "remove object"]
    RETURN_TYPES = ("IMAGE", OPS, REPORT, "IMAGE")
    RETURN_NAMES = ("images", "ops", "report", "plot")
    OUTPUT_TOOLTIPS = (
        IMAGES_OUT,
        OPS_OUT,
        "Best iteration, why it stopped, seconds, peak memory, precision, and the curves of the last fit.",
        "Loss and variance over the iterations of the last fit, and where the picture was taken.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        inputs = frame_inputs(deep_image_prior.DeepImagePrior)
        inputs["optional"]["mask"] = MASK_IN
        return inputs

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, node_id: str | None = None, **settings: Any) -> Any:
        def operation(runtime: Runtime) -> Operation:
            if settings["task"] == "inpaint":
                return deep_image_prior.DeepImagePrior(**settings, holes=None if mask is None else Mask(mask), runtime=runtime)
            return masked(deep_image_prior.DeepImagePrior(**settings, runtime=runtime), mask)

        chain = appended(ops, operation(Runtime(lambda: device_with_room(ROOM))))
        if images is None:
            none = blocked("Deep Image Prior: no images are linked, so there are none to pass on. Link images, or use only the ops output.")
            return none, chain, none, none
        fits: list[tuple[int, Fit]] = []
        progress = node_progress("Deep Image Prior", node_id, unit="")

        def finished(index: int, fit: Fit) -> None:
            fits.append((index, fit))

        def running(index: int, moment: Moment) -> None:
            show_while_running(node_id, report_so_far(index, moment))

        runtime = Runtime(lambda: device_with_room(ROOM), progress.picture, running, finished)
        made = to_image(run(operation(runtime), images, progress))
        found = report(fits)
        return with_panel((made, chain, found, to_image(plot(fits[-1][1] if fits else None)[None])), found)
