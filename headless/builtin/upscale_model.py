"""Load an upscale model, as ComfyUI's Load Upscale Model does."""
from __future__ import annotations

from typing import Any

from ...core.upscale.family import FOLDER, ModelError, find_model
from ...core.upscale.loader import load_model
from ...host.folders import model_folders, model_names
from .folders import FolderNode


class UpscaleModelLoader(FolderNode):
    """ComfyUI's Load Upscale Model."""

    DISPLAY_NAME = "Load Upscale Model"
    CATEGORY = "loaders"
    RETURN_TYPES = ("UPSCALE_MODEL",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Declare the inputs as ComfyUI does."""
        return {"required": {"model_name": (model_names(FOLDER), {})}}

    @classmethod
    def VALIDATE_INPUTS(cls, model_name: str) -> bool | str:
        """Say whether the file is there, and where it is to be had."""
        try:
            find_model(model_name, model_folders(FOLDER))
        except ModelError as error:
            return str(error)
        return True

    def run(self, model_name: str) -> tuple[Any]:
        """Give the network as spandrel describes it, in evaluation mode on the CPU."""
        return (load_model(find_model(model_name, model_folders(FOLDER))),)
