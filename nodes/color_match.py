"""The Color Match node."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..core.arrays import to_frames, to_image
from ..core.masked import Mask
from ..core.operation import run
from ..core.video import colour
from ..core.video.colour_report import match_report
from ..host.blocker import blocked
from ..host.progress import node_progress
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked
from .names import OPS, REPORT, category
from .panel import with_panel


class ColorMatch:
    """See web/docs/TalkiesColorMatch.md."""

    CATEGORY = category("Look")
    DESCRIPTION = "Gives frames, or a region such as a generated mouth, the colours of a reference, without flicker."
    SEARCH_ALIASES = [
        "colour match", "color transfer", "white balance", "histogram matching", "reinhard", "skin tone", "mkl", "color grading"]
    RETURN_TYPES = ("IMAGE", OPS, REPORT)
    RETURN_NAMES = ("images", "ops", "report")
    OUTPUT_TOOLTIPS = (IMAGES_OUT, OPS_OUT, "Distance to the reference and colour flicker (CIEDE2000) before and after.")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        form = frame_inputs(colour.ColorMatch)
        form["optional"] |= {
            "reference": ("IMAGE", {"tooltip": "The frames whose colours are wanted: as many as `images` (matched one to one), or any "
                          "other number (their average). Without it: another region of `images`, or the clip's own average."}),
            "measure_mask": ("MASK", {"tooltip": "Where the colours of `images` are measured. Without it: where `mask` is white."}),
            "reference_mask": ("MASK", {"tooltip": "Where `reference` is measured, or, while that is not linked, which region of "
                               "`images` is the reference: e.g. the skin around a generated mouth."}),
        }
        return form

    def run(
        self, images: Any = None, mask: Any = None, ops: Any = None, reference: Any = None, measure_mask: Any = None,
        reference_mask: Any = None, node_id: str | None = None, **settings: Any,
    ) -> Any:
        own = _region(measure_mask) or _region(mask)
        other = _region(reference_mask)
        operation = replace(colour.ColorMatch(**settings), measure=own, reference_mask=None if reference is not None else other)
        frames = None if reference is None else to_frames(reference, "Color Match: reference")
        if frames is not None:
            other = other or _shared(own, images, frames)
            operation = operation.with_reference(frames, other)
        step = masked(operation, mask)
        chain = appended(ops, step)
        if images is None:
            nothing = blocked("Color Match: no images are linked, so there are none to pass on. Link images, or use only the ops output.")
            return nothing, chain, nothing
        before = to_frames(images, "ColorMatch: images")
        after = run(step, before, node_progress("Color Match", node_id))
        report = match_report(operation, before, after, frames, other)
        return with_panel((to_image(after), chain, report), report)


def _region(mask: Any | None) -> Mask | None:
    """Give a mask as a place to measure; a black one is none."""
    found = None if mask is None else Mask(mask)
    return found if found is not None and found.planes.any() else None


def _shared(own: Mask | None, images: Any | None, reference: Any) -> Mask | None:
    """Measure the reference where the images are, if it is a clip of the same frames."""
    return own if images is not None and tuple(images.shape[:3]) == tuple(reference.shape[:3]) else None
