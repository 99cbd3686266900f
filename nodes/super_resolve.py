"""The Super Resolve node."""
from __future__ import annotations

from typing import Any

from ..core.masked import Mask
from ..core.upscale import super_resolve
from ..core.upscale.engine import Runtime
from ..core.upscale.family import FOLDER, PUBLISHED
from ..core.upscale.upscaler import Upscaler
from ..host.devices import loaded, out_of_memory
from ..host.folders import model_folders, model_names
from .form import IMAGES_OUT, OPS_OUT, InputTypes, appended, frame_inputs, process
from .names import OPS, category

UPSCALE_MODEL_IN = ("UPSCALE_MODEL", {"tooltip": "A model from Load Upscale Model. It is used in place of the one chosen by name."})
MASK_IN = ("MASK", {"tooltip": "Where to use the model, e.g. the mouth or the face; the rest is enlarged by Lanczos, or left alone where "
                               "the size is kept. One mask for all frames, or one a frame."})


class SuperResolve:
    """See web/docs/TalkiesSuperResolve.md."""

    CATEGORY = category("Restore")
    DESCRIPTION = "Upscales frames with Real-ESRGAN or any other upscale model: the whole frame, or the mouth or face alone under a mask."
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
        inputs["optional"]["upscale_model"] = UPSCALE_MODEL_IN
        inputs["optional"]["mask"] = MASK_IN
        return inputs

    def run(self, images: Any = None, mask: Any = None, ops: Any = None, upscale_model: Any = None, node_id: str | None = None,
            **settings: Any) -> tuple[Any, ...]:
        upscaler = Upscaler(upscale_model, tuple(model_folders(FOLDER)), Runtime(loaded, out_of_memory()))
        operation = super_resolve.SuperResolve(**settings, upscaler=upscaler, region=None if mask is None else Mask(mask))
        return process(operation, images, "Super Resolve", node_id), appended(ops, operation)
