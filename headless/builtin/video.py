"""Load, save, take apart and put together videos."""
from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import torch

from ...host.video_type import Components, VideoFromComponents, VideoFromFile
from .folders import FolderNode, Result


class LoadVideo(FolderNode):
    """ComfyUI's Load Video."""

    DISPLAY_NAME = "Load Video"
    CATEGORY = "image/video"
    RETURN_TYPES = ("VIDEO",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"file": ("COMBO", {"options": cls.folders.names("video"), "video_upload": True})}}

    @classmethod
    def VALIDATE_INPUTS(cls, file: str) -> bool | str:
        """Say whether the file is there."""
        return cls.folders.missing(file) or True

    def run(self, file: str) -> tuple[VideoFromFile]:
        """Give the video; nothing is decoded yet."""
        return (VideoFromFile(str(self.folders.resolve(file))),)


class GetVideoComponents(FolderNode):
    """ComfyUI's Get Video Components."""

    DISPLAY_NAME = "Get Video Components"
    CATEGORY = "image/video"
    DESCRIPTION = "Takes a video apart into frames, audio and frame rate."
    RETURN_TYPES = ("IMAGE", "AUDIO", "FLOAT")
    RETURN_NAMES = ("images", "audio", "fps")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"video": ("VIDEO", {"tooltip": "The video to take apart."})}}

    def run(self, video: Any) -> tuple[torch.Tensor, dict[str, Any] | None, float]:
        """Give the frames ``[B,H,W,3]``, the AUDIO (None when there is none) and the frame rate."""
        components = video.get_components()
        return components.images, components.audio, float(components.frame_rate)


class CreateVideo(FolderNode):
    """ComfyUI's Create Video."""

    DISPLAY_NAME = "Create Video"
    CATEGORY = "image/video"
    DESCRIPTION = "Puts a video together from frames and audio."
    RETURN_TYPES = ("VIDEO",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        fps = ("FLOAT", {"default": 30.0, "min": 1.0, "max": 120.0, "step": 1.0})
        return {
            "required": {"images": ("IMAGE", {"tooltip": "The frames of the video."}), "fps": fps},
            "optional": {"audio": ("AUDIO", {"tooltip": "The sound of the video."})},
        }

    def run(self, images: torch.Tensor, fps: float, audio: dict[str, Any] | None = None) -> tuple[VideoFromComponents]:
        """Give the video; nothing is encoded yet."""
        return (VideoFromComponents(Components(images, Fraction(fps), audio)),)


class SaveVideo(FolderNode):
    """ComfyUI's Save Video."""

    DISPLAY_NAME = "Save Video"
    CATEGORY = "image/video"
    DESCRIPTION = "Saves the video to the output folder."
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        prefix = {"default": "video/ComfyUI", "tooltip": "How the file begins; may hold %date:yyyy-MM-dd%, %width% and the like."}
        return {
            "required": {
                "video": ("VIDEO", {"tooltip": "The video to save."}),
                "filename_prefix": ("STRING", prefix),
                "format": ("COMBO", {"options": ["auto", "mp4"], "default": "auto", "tooltip": "The container."}),
                "codec": ("COMBO", {"options": ["auto", "h264"], "default": "auto", "tooltip": "The codec."}),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    def run(
        self, video: Any, filename_prefix: str, format: str, codec: str, prompt: Any = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> Result:
        """Write the video; one from a file is copied without encoding it again."""
        width, height = video.get_dimensions()
        folder, name, counter, subfolder = self.folders.place(filename_prefix, "output", width, height)
        file = f"{name}_{counter:05}_.mp4"
        tags = dict(extra_pnginfo or {}) | ({} if prompt is None else {"prompt": prompt})
        try:
            video.save_to(str(folder / file), format=format, codec=codec, metadata=tags or None)
        except BaseException:
            (folder / file).unlink(missing_ok=True)  # a cancelled or failed save leaves no half of a file
            raise
        return {"ui": {"images": [{"filename": file, "subfolder": subfolder, "type": "output"}], "animated": (True,)}}
