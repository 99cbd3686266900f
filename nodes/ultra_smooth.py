"""The Ultra Smooth node."""
from __future__ import annotations

import json
from typing import Any

from ..core.arrays import to_image
from ..core.face.align import AlignFace
from ..core.face.plot import path_series, plot
from ..core.face.smooth.select import Smoothing, smooth
from ..core.face.track import FaceTrack
from ..core.operation import Chain, run
from ..core.settings import SettingError
from ..host.blocker import blocked
from ..host.progress import node_progress
from .form import InputTypes, clip_of, runs_of, widgets
from .names import OPS, REPORT, TRACK, category
from .panel import with_panel


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
                "fit": (["similarity", "latentsync"], {"default": "similarity", "tooltip": (
                    "How crops are cut from the smoothed points: exactly, or by the published pipeline's numbers.")}),
                "temporal_alpha": ("FLOAT", {"default": -1.0, "min": -1.0, "max": 0.9, "step": 0.05, "tooltip": (
                    "Share of the past blended into every crop, as the published ultra does; it blurs speech. -1: the method's own.")}),
                "landmark_params": ("STRING", {"default": "", "tooltip": (
                    'For enhanced and ultra: windows in JSON, e.g. {"primary_window": 21, "secondary_window": 11, "gaussian_sigma": 1}.')}),
            },
            "optional": {
                "images": ("IMAGE", {"tooltip": "The frames that were tracked; fused measures the motion in them."}),
                "video": ("VIDEO", {"tooltip": "The clip that was tracked, of any length; fused measures the motion in it."}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(
        self, track: FaceTrack, fill: Any, fit: Any, temporal_alpha: float, landmark_params: str, images: Any = None, video: Any = None,
        node_id: str | None = None, **settings: Any,
    ) -> dict[str, Any]:
        smoothing = Smoothing(**settings, landmark_params=_windows(landmark_params),
                              temporal_alpha=None if temporal_alpha < 0 else temporal_alpha)
        progress = node_progress("Ultra Smooth", node_id)
        if images is None and video is None:
            smoothed = smooth(track, smoothing, progress=progress, fit=fit)
        else:
            with clip_of(images, video, float(track.fps), "Ultra Smooth") as source:
                smoothed = smooth(track, smoothing, runs_of(source), progress, fit)
        cutter = AlignFace(fill, fit == "latentsync", track=smoothed.track)
        steps = Chain((cutter, smoothing.pixel_blend)) if not smoothing.pixel_blend.identity else Chain((cutter,))
        crops = blocked("Ultra Smooth: no images are linked, so there are no crops; link the frames, or use ops with Render Video.")
        if images is not None:
            crops = to_image(run(steps, images, progress))
        before = track if smoothed.track.motion is None else track.with_motion(smoothed.track.motion)
        picture = to_image(plot(before, smoothed.track, smoothed.report)[None])
        return with_panel((crops, smoothed.track, smoothed.report, picture, steps),
                          talkies_path=path_series(before, smoothed.track, smoothed.report).to_json())


def _windows(text: str) -> tuple[tuple[str, float], ...]:
    """Read the published chains' windows from JSON; nothing from empty text.

    Raises:
        SettingError: the text is no JSON object of numbers.
    """
    if not text.strip():
        return ()
    try:
        return tuple(sorted((str(name), float(value)) for name, value in json.loads(text).items()))
    except (json.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
        raise SettingError(f'UltraSmooth: landmark_params is {text!r}; it must be a JSON object of numbers, e.g. '
                           '{"primary_window": 21}.') from error
