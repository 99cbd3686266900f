"""Load an image: stills, animations, alpha, EXIF rotation and 16-bit files, as ComfyUI's Load Image does."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFile, ImageOps, ImageSequence

from ...core.arrays import Frame, empty_frames, from_uint8, to_image
from .folders import FolderNode

NO_MASK = 64
"""Edge, in px, of the empty mask of an image without alpha."""


class LoadImage(FolderNode):
    """ComfyUI's Load Image."""

    DISPLAY_NAME = "Load Image"
    CATEGORY = "image"
    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"image": (cls.folders.names("image"), {"image_upload": True})}}

    @classmethod
    def VALIDATE_INPUTS(cls, image: str) -> bool | str:
        """Say whether the file is there."""
        return cls.folders.missing(image) or True

    def run(self, image: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the frames ``[B,H,W,3]`` and the mask ``[B,H,W]``, 1 where the image is transparent."""
        return read_image(self.folders.resolve(image))


def read_image(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Read an image file as an IMAGE and a MASK; frames of an animation that differ in size from the first are left out."""
    frames: list[Frame] = []
    masks: list[Frame] = []
    with _open(path) as picture:
        for page in ImageSequence.Iterator(picture):
            page = ImageOps.exif_transpose(page)
            if page.mode == "I":  # 32-bit holders of 16-bit values, scaled as ComfyUI scales them
                page = page.point(lambda value: value * (1 / 255))
            frame = from_uint8(np.array(page.convert("RGB")))
            if frames and frame.shape != frames[0].shape:
                continue
            frames.append(frame)
            masks.append(_mask(page) if _has_alpha(page) else _empty(NO_MASK, NO_MASK))
            if picture.format == "MPO":  # the further pages of a camera's file are previews or depth
                break
    if len({mask.shape for mask in masks}) > 1:  # some pages have alpha, some none
        size = frames[0].shape[:2]
        masks = [mask if mask.shape == size else _empty(*size) for mask in masks]
    return to_image(np.stack(frames)), to_image(np.stack(masks))


def _open(path: Path) -> Image.Image:
    """Open a file; one that is cut short is read as far as it goes."""
    picture = Image.open(path)
    try:
        picture.load()
    except OSError:
        whole = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            picture = Image.open(path)
            picture.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = whole
    return picture


def _has_alpha(page: Image.Image) -> bool:
    return "A" in page.getbands() or (page.mode == "P" and "transparency" in page.info)


def _mask(page: Image.Image) -> Frame:
    alpha = page if "A" in page.getbands() else page.convert("RGBA")
    mask: Frame = np.float32(1) - from_uint8(np.array(alpha.getchannel("A")))
    return mask


def _empty(height: int, width: int) -> Frame:
    mask = empty_frames(1, height, width, 1)[0, ..., 0]
    mask.fill(0)
    return mask
