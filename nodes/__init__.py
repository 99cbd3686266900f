"""The nodes, one thin class a file; here only what ComfyUI asks for: ids and display names."""
from __future__ import annotations

from .frame_adjust import FrameAdjust
from .inspect_arrays import InspectArrays
from .names import PREFIX
from .render_video import RenderVideo
from .sharpen import Sharpen

_DISPLAY_NAMES = {
    FrameAdjust: "Frame Adjust",
    InspectArrays: "Inspect Arrays",
    RenderVideo: "Render Video",
    Sharpen: "Sharpen",
}

NODE_CLASS_MAPPINGS = {PREFIX + node.__name__: node for node in _DISPLAY_NAMES}
NODE_DISPLAY_NAME_MAPPINGS = {PREFIX + node.__name__: name for node, name in _DISPLAY_NAMES.items()}
