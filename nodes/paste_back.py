"""The Paste Back node."""
from __future__ import annotations

from typing import Any

from ..core.arrays import to_image
from ..core.face import paste
from ..core.face.on_face import OnFace
from ..core.face.track import FaceTrack
from ..core.operation import Chain
from ..host.blocker import blocked
from ..host.progress import node_progress
from .form import OPS_OUT, InputTypes, widgets
from .names import OPS, TRACK, category


class PasteBack:
    """See web/docs/TalkiesPasteBack.md."""

    CATEGORY = category("Face")
    DESCRIPTION = "Puts processed face crops back into their frames; every pixel outside the pasted area keeps its bits."
    SEARCH_ALIASES = ["uncrop", "composite face", "face paste", "restore", "stitch"]
    RETURN_TYPES = ("IMAGE", OPS)
    RETURN_NAMES = ("images", "ops")
    OUTPUT_TOOLTIPS = ("The whole frames with the crops in their place, when `crops` and `images` are linked.",
                       "Cut, work, paste as one step for Render Video, when `crop_ops` is linked. " + OPS_OUT)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {"track": (TRACK, {"tooltip": "The track that the crops were cut with."}), **widgets(paste.PasteSettings)},
            "optional": {
                "crops": ("IMAGE", {"tooltip": "The processed crops, one a frame of the track, of any size (upscaled ones, say)."}),
                "images": ("IMAGE", {"tooltip": "The whole frames that the crops were cut from."}),
                "mask": ("MASK", {"tooltip": "Where in the crop to paste (Lip Mask in crop space); all of it, softly edged, if unlinked."}),
                "crop_ops": (OPS, {"tooltip": "Steps to run on the crops, instead of crops made beforehand: Render Video then cuts, works "
                                   "and pastes a clip of any length."}),
                "ops": (OPS, {"tooltip": "The steps before this one, on the whole frame. Only Render Video runs them."}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(self, track: FaceTrack, edge: float, blend: Any, content: Any, crops: Any = None, images: Any = None, mask: Any = None,
            crop_ops: Chain | None = None, ops: Chain | None = None, node_id: str | None = None) -> tuple[Any, ...]:
        steps: Any = blocked("Paste Back: no crop_ops are linked, so there is no step for Render Video.")
        if crop_ops is not None:
            steps = (ops or Chain()).then(OnFace(edge, blend, content, operation=crop_ops, track=track))
        if crops is None or images is None:
            return blocked("Paste Back: link both crops and images to paste now, or crop_ops to paste in Render Video."), steps
        operation = paste.PasteBack(edge, blend, content, track=track, crops=crops, mask=mask)
        return to_image(operation(images, track.start, node_progress("Paste Back", node_id))), steps
