"""ComfyUI's own nodes around a clip (load, save, preview, take apart, put together), for workflows that run without it."""
from __future__ import annotations

from ..prompt import NodeClasses
from .audio import LoadAudio, PreviewAudio, SaveAudio
from .folders import FolderNode, Folders
from .image import LoadImage
from .preview_any import PreviewAny
from .save_image import PreviewImage, SaveImage
from .upscale_model import UpscaleModelLoader
from .video import CreateVideo, GetVideoComponents, LoadVideo, SaveVideo

__all__ = ["Folders", "builtin_nodes"]

_NODES: tuple[type[FolderNode], ...] = (
    LoadImage, LoadVideo, LoadAudio, GetVideoComponents, CreateVideo, SaveVideo, SaveImage, PreviewImage, SaveAudio, PreviewAudio,
    PreviewAny, UpscaleModelLoader,
)


def builtin_nodes(folders: Folders) -> NodeClasses:
    """Give the nodes by the ids that ComfyUI has for them, reading from and writing to `folders`."""
    return {node.__name__: type(node.__name__, (node,), {"folders": folders}) for node in _NODES}
