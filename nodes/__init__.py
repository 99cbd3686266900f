"""The nodes, one thin class a file; here only what ComfyUI asks for: ids and display names."""
from __future__ import annotations

from .audio_encode import AudioEncode
from .bm3d import BM3D
from .clean_speech import CleanSpeech
from .color_match import ColorMatch
from .compare import Compare
from .deblur import Deblur
from .deep_image_prior import DeepImagePrior
from .diff2lip_generate import Diff2LipGenerate
from .export_speech_reference import ExportSpeechReference
from .film_grain import FilmGrain
from .frame_adjust import FrameAdjust
from .inspect_arrays import InspectArrays
from .lb_clahe import LBCLAHE
from .lip_mask import LipMask
from .load_diff2lip import LoadDiff2Lip
from .names import PREFIX
from .paste_back import PasteBack
from .render_video import RenderVideo
from .sharpen import Sharpen
from .super_resolve import SuperResolve
from .temporal_consistency import TemporalConsistency
from .ultra_smooth import UltraSmooth
from .video_align import VideoAlign

_DISPLAY_NAMES = {
    AudioEncode: "Audio Encode",
    BM3D: "BM3D",
    CleanSpeech: "Clean Speech",
    Compare: "Compare",
    ColorMatch: "Color Match",
    Diff2LipGenerate: "Diff2Lip Generate",
    Deblur: "Deblur",
    DeepImagePrior: "Deep Image Prior",
    ExportSpeechReference: "Export Speech Reference",
    FilmGrain: "Film Grain",
    FrameAdjust: "Frame Adjust",
    InspectArrays: "Inspect Arrays",
    LBCLAHE: "LB-CLAHE",
    LipMask: "Lip Mask",
    LoadDiff2Lip: "Load Diff2Lip",
    PasteBack: "Paste Back",
    RenderVideo: "Render Video",
    Sharpen: "Sharpen",
    SuperResolve: "Super Resolve",
    TemporalConsistency: "Temporal Consistency",
    UltraSmooth: "Ultra Smooth",
    VideoAlign: "Video Align",
}

NODE_CLASS_MAPPINGS = {PREFIX + node.__name__: node for node in _DISPLAY_NAMES}
NODE_DISPLAY_NAME_MAPPINGS = {PREFIX + node.__name__: name for node, name in _DISPLAY_NAMES.items()}
