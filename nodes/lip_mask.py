"""The Lip Mask node."""
from __future__ import annotations

from typing import Any

from ..core.arrays import to_image
from ..core.face import regions
from ..core.face.track import FaceTrack
from ..host.progress import node_progress
from .form import InputTypes, widgets
from .names import TRACK, category


class LipMask:
    """See web/docs/TalkiesLipMask.md."""

    CATEGORY = category("Face")
    DESCRIPTION = "Draws a mask of the mouth that follows the lips and grows as they open."
    SEARCH_ALIASES = ["mouth mask", "lips", "lower face", "face parsing"]
    RETURN_TYPES = ("MASK",)
    RETURN_NAMES = ("mask",)
    OUTPUT_TOOLTIPS = ("One mask a frame of the track; white is the mouth.",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                "track": (TRACK, {"tooltip": "The track of Video Align or Ultra Smooth. With 68 points or the mesh the mask "
                          "follows the lips; with fewer it is an ellipse."}),
                **widgets(regions.LipMask),
                "space": (["crop", "frame"], {"default": "crop", "tooltip": "crop: in the aligned crop, for work on it and for Paste Back. "
                          "frame: in the whole frame."}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(self, track: FaceTrack, space: str, node_id: str | None = None, **settings: Any) -> tuple[Any, ...]:
        masks = regions.LipMask(**settings).masks(track, in_crop=space == "crop", progress=node_progress("Lip Mask", node_id))
        return (to_image(masks),)
