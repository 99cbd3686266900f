"""The Ultra Smooth node."""
from __future__ import annotations

from typing import Any

from ..core.arrays import to_image
from ..core.face.align import AlignFace
from ..core.face.plot import path_series, plot
from ..core.face.smooth.select import Smoothing, smooth
from ..core.face.track import FaceTrack
from ..core.operation import Chain, run
from ..host.blocker import blocked
from ..host.progress import node_progress
from .form import InputTypes, clip_of, runs_of, widgets
from .names import OPS, REPORT, TRACK, category


class UltraSmooth:
    """See web/docs/TalkiesUltraSmooth.md."""

    CATEGORY = category("Face")
    DESCRIPTION = "Takes the shake out of a face track: the detector's points are fused with the motion measured in the pixels."
    SEARCH_ALIASES = ["stabilize", "jitter", "smooth landmarks", "steady", "kalman", "one euro", "savitzky golay"]
    RETURN_TYPES = ("IMAGE", TRACK, REPORT, "IMAGE", OPS)
    RETURN_NAMES = ("images", "track", "report", "plot", "ops")
    OUTPUT_TOOLTIPS = (
        "The steady crops, one a frame, when `images` is linked.",
        "The smoothed track: for Lip Mask and Paste Back.",
        "Shake before and after, its reduction, lag, frames filled, and where pixels could not be followed.",
        "The path before and after, the shake of every frame, which frames were filled, where the cuts are.",
        "The cutting of the steady crops as a step for Render Video.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                "track": (TRACK, {"tooltip": "The track of Video Align."}), **widgets(Smoothing), "fill": widgets(AlignFace)["fill"],
            },
            "optional": {
                "images": ("IMAGE", {"tooltip": "The frames that were tracked; fused measures the motion in them."}),
                "video": ("VIDEO", {"tooltip": "The clip that was tracked, of any length; fused measures the motion in it."}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(
        self, track: FaceTrack, fill: Any, images: Any = None, video: Any = None, node_id: str | None = None, **settings: Any
    ) -> dict[str, Any]:
        smoothing = Smoothing(**settings)
        progress = node_progress("Ultra Smooth", node_id)
        if images is None and video is None:
            smoothed = smooth(track, smoothing, progress=progress)
        else:
            with clip_of(images, video, float(track.fps), "Ultra Smooth") as source:
                smoothed = smooth(track, smoothing, runs_of(source), progress)
        cutter = AlignFace(fill, track=smoothed.track)
        steps = Chain((cutter, smoothing.pixel_blend)) if not smoothing.pixel_blend.identity else Chain((cutter,))
        crops = blocked("Ultra Smooth: no images are linked, so there are no crops; link the frames, or use ops with Render Video.")
        if images is not None:
            crops = to_image(run(steps, images, progress))
        before = track if smoothed.track.motion is None else track.with_motion(smoothed.track.motion)
        picture = to_image(plot(before, smoothed.track, smoothed.report)[None])
        panel = {"talkies_path": [path_series(before, smoothed.track, smoothed.report).to_json()]}
        return {"ui": panel, "result": (crops, smoothed.track, smoothed.report, picture, steps)}
