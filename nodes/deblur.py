"""The Deblur node."""
from __future__ import annotations

import time
from typing import Any

from ..core.arrays import to_frames, to_image
from ..core.operation import run
from ..core.report import Report
from ..core.restore.bm3d.measured import measured_noise
from ..core.restore.deblur import operation as deblur
from ..core.restore.deblur.psf import from_picture, shown
from ..host.blocker import blocked
from ..host.progress import node_progress
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, masked
from .names import OPS, REPORT, category
from .panel import with_panel

PSF_IN = ("IMAGE", {"tooltip": "An image of what the blur made of one point, the point's own place in its middle; used when `psf` is "
                               "picture. At most 101 px a side after its black rim is cut off."})


class Deblur:
    """See web/docs/TalkiesDeblur.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Takes back a known blur, lens or shake, in colour: regularised inverse, then BM3D of the noise that it raises."
    SEARCH_ALIASES = ["deconvolution", "unblur", "motion blur", "out of focus", "richardson lucy", "wiener", "shake", "bm3d deblur"]
    RETURN_TYPES = ("IMAGE", OPS, REPORT, "IMAGE")
    RETURN_NAMES = ("images", "ops", "report", "psf")
    OUTPUT_TOOLTIPS = (
        IMAGES_OUT,
        OPS_OUT,
        "Noise measured and noise counted with, the size of the blur, and how long it took.",
        "The point-spread function, its brightest place white.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        inputs = frame_inputs(deblur.Deblur)
        inputs["optional"]["psf_image"] = PSF_IN
        return inputs

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, psf_image: Any = None, node_id: str | None = None,
            **settings: Any) -> Any:
        picture = None if psf_image is None else from_picture(to_frames(psf_image, "Deblur: psf_image")[0]).tolist()
        operation = deblur.Deblur(**settings, picture=picture)
        chain, point = appended(ops, masked(operation, mask)), operation.point_spread()
        if images is None:
            nothing = blocked("Deblur: no images are linked, so there are none to pass on. Link images, or use only the ops output.")
            return nothing, chain, nothing, to_image(shown(point)[None])
        frames, progress, started = to_frames(images, "Deblur: images"), node_progress("Deblur", node_id, "steps"), time.monotonic()
        measured = measured_noise([(0, frames)])
        if operation.needs_survey:
            operation = operation.with_noise(measured)
        made = run(masked(operation, mask), frames, progress)
        seconds = time.monotonic() - started
        report = Report("Deblur", {
            "sigma used (steps of 255)": operation.sigma or measured.sigma, "sigma from": "set" if operation.sigma else "measured",
            "sigma measured (steps of 255)": measured.sigma, "psf": operation.psf, "psf size (px)": f"{point.shape[1]}x{point.shape[0]}",
            "profile": operation.profile, "rounds": operation.rounds, "frames": len(frames), "time (s)": seconds,
            "time a frame (s)": seconds / len(frames)})
        return with_panel((to_image(made), chain, report, to_image(shown(point)[None])), report)
