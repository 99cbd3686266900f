"""The Super Resolve node."""
from __future__ import annotations

from typing import Any

from ..core.masked import Mask
from ..core.upscale import super_resolve
from ..core.upscale.engine import Runtime
from ..core.upscale.face_region import FaceRegion
from ..core.upscale.family import FOLDER, PUBLISHED
from ..core.upscale.region import Region
from ..core.upscale.upscaler import Upscaler
from ..host.devices import loaded, out_of_memory
from ..host.folders import model_folders, model_names
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, process, widgets
from .names import OPS, TRACK, category

UPSCALE_MODEL_IN = ("UPSCALE_MODEL", {"tooltip": "A model from Load Upscale Model. It is used in place of the one chosen by name."})
MASK_IN = ("MASK", {"tooltip": "Where to use the model, e.g. the mouth or the face; the rest is enlarged by Lanczos, or left alone where "
                               "the size is kept. One mask for all frames, or one a frame."})
TRACK_IN = (TRACK, {"tooltip": "The face, from Video Align or Ultra Smooth: the model works on its mouth or face only (see `part`), as "
                               "under a mask that follows it."})


class SuperResolve:
    """See web/docs/TalkiesSuperResolve.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Upscales frames with Real-ESRGAN or any other upscale model: the whole frame, or the mouth or face alone."
    SEARCH_ALIASES = ["upscale", "super resolution", "real-esrgan", "esrgan", "enhance", "4x", "2x", "upscale face", "upscale video"]
    RETURN_TYPES = ("IMAGE", OPS)
    RETURN_NAMES = ("images", "ops")
    OUTPUT_TOOLTIPS = (IMAGES_OUT, OPS_OUT)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        inputs = frame_inputs(super_resolve.SuperResolve)
        options = inputs["required"]["model"][1]
        inputs["required"]["model"] = (sorted({*(p.file for p in PUBLISHED), *model_names(FOLDER)}), options)
        inputs["required"] |= widgets(FaceRegion)
        inputs["optional"] |= {"mask": MASK_IN, "track": TRACK_IN, "upscale_model": UPSCALE_MODEL_IN}
        return inputs

    def run(self, part: Any, images: Any = None, mask: Any = None, track: Any = None, ops: Any = None, upscale_model: Any = None,
            node_id: str | None = None, **settings: Any) -> tuple[Any, ...]:
        upscaler = Upscaler(upscale_model, tuple(model_folders(FOLDER)), Runtime(loaded, out_of_memory()))
        operation = super_resolve.SuperResolve(**settings, upscaler=upscaler, region=_region(mask, track, part))
        return process(operation, images, "Super Resolve", node_id), appended(ops, operation)


def _region(mask: Any | None, track: Any | None, part: Any) -> Region | None:
    if mask is not None and track is not None:
        raise ValueError("Super Resolve: both a mask and a track are linked; link the one that says where the model is to work.")
    if track is not None:
        return FaceRegion(part, track=track)
    return None if mask is None else Mask(mask)
