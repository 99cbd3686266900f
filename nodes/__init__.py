"""The nodes, one thin class a file; here only what ComfyUI asks for: ids and display names."""
from __future__ import annotations

from .audio_encode import AudioEncode
from .clean_speech import CleanSpeech
from .deep_image_prior import DeepImagePrior
from .export_speech_reference import ExportSpeechReference
from .frame_adjust import FrameAdjust
from .inspect_arrays import InspectArrays
from .lip_mask import LipMask
from .names import PREFIX
from .paste_back import PasteBack
from .render_video import RenderVideo
from .sharpen import Sharpen
from .super_resolve import SuperResolve
from .ultra_smooth import UltraSmooth
from .video_align import VideoAlign

_DISPLAY_NAMES = {
    AudioEncode: "Audio Encode",
    CleanSpeech: "Clean Speech",
    DeepImagePrior: "Deep Image Prior",
    ExportSpeechReference: "Export Speech Reference",
    FrameAdjust: "Frame Adjust",
    InspectArrays: "Inspect Arrays",
    LipMask: "Lip Mask",
    PasteBack: "Paste Back",
    RenderVideo: "Render Video",
    Sharpen: "Sharpen",
    SuperResolve: "Super Resolve",
    UltraSmooth: "Ultra Smooth",
    VideoAlign: "Video Align",
}

NODE_CLASS_MAPPINGS = {PREFIX + node.__name__: node for node in _DISPLAY_NAMES}
NODE_DISPLAY_NAME_MAPPINGS = {PREFIX + node.__name__: name for node, name in _DISPLAY_NAMES.items()}
