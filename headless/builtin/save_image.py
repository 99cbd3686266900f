"""Save and preview images as PNG files that carry their workflow."""
from __future__ import annotations

import random
import string
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...core.arrays import to_frames, to_uint8
from .folders import FolderNode, Result, Shown, metadata

_IMAGES = ("IMAGE", {"tooltip": "The frames to save."})
_HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


class SaveImage(FolderNode):
    """ComfyUI's Save Image."""

    DISPLAY_NAME = "Save Image"
    CATEGORY = "image"
    DESCRIPTION = "Saves the frames to the output folder."
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True

    kind: ClassVar[str] = "output"
    compression: ClassVar[int] = 4

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        tooltip = "How the files begin; may hold %date:yyyy-MM-dd%, %width% and the like."
        prefix = ("STRING", {"default": "ComfyUI", "tooltip": tooltip})
        return {"required": {"images": _IMAGES, "filename_prefix": prefix}, "hidden": _HIDDEN}

    def run(
        self, images: torch.Tensor, filename_prefix: str = "ComfyUI", prompt: Any = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> Result:
        """Write ``[B,H,W,C]`` frames, one file each."""
        frames = to_frames(images, "images")
        _, height, width, channels = frames.shape
        folder, name, counter, subfolder = self.folders.place(filename_prefix, self.kind, width, height)
        text = PngInfo()
        for key, value in metadata(prompt, extra_pnginfo).items():
            text.add_text(key, value)
        shown: list[Shown] = []
        for index, frame in enumerate(frames):
            file = f"{name.replace('%batch_num%', str(index))}_{counter + index:05}_.png"
            pixels = to_uint8(frame, rounding="truncate")
            picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
            picture.save(folder / file, pnginfo=text, compress_level=self.compression)
            shown.append({"filename": file, "subfolder": subfolder, "type": self.kind})
        return {"ui": {"images": shown}}


class PreviewImage(SaveImage):
    """ComfyUI's Preview Image."""

    DISPLAY_NAME = "Preview Image"
    DESCRIPTION = "Saves the frames to the temporary folder."
    kind = "temp"
    compression = 1

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"images": ("IMAGE",)}, "hidden": _HIDDEN}

    def run(
        self, images: torch.Tensor, filename_prefix: str = "ComfyUI", prompt: Any = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> Result:
        """Write ``[B,H,W,C]`` frames, one file each."""
        return super().run(images, filename_prefix + temporary_ending(), prompt, extra_pnginfo)


def temporary_ending() -> str:
    """Give an ending that keeps the previews of different nodes apart."""
    letters = "".join(random.choice(string.ascii_lowercase) for _ in range(5))
    return f"_temp_{letters}"
