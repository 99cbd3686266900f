"""The Export Speech Reference node."""
from __future__ import annotations

from typing import Any

from ..core.audio.export import export_reference
from ..core.audio.speech import Speech
from ..host.folders import model_names
from ..host.progress import node_progress
from ..host.speech import FOLDER, NO_CHECKPOINT
from ..host.speech_export import export_networks, reference_folder
from .form import InputTypes
from .names import SPEECH, category


class ExportSpeechReference:
    """See web/docs/TalkiesExportSpeechReference.md."""

    CATEGORY = category("Speech")
    DESCRIPTION = "Writes every intermediate result of a speech, with hashes and instructions, for whoever ports the front end elsewhere."
    SEARCH_ALIASES = ["reference data", "npy", "onnx", "coreml", "validate port", "ios"]
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("folder",)
    OUTPUT_TOOLTIPS = ("The folder that was written.",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                "speech": (SPEECH, {"tooltip": "From Audio Encode, mode ave, hubert or wenet."}),
                "folder": ("STRING", {"default": "speech_reference", "tooltip": (
                    "Folder under ComfyUI's output. An earlier data set there is replaced; anything else is left alone.")}),
                "onnx": ("BOOLEAN", {"default": False, "tooltip": "Also write the encoder as AudioEncoder.onnx (needs the onnx package)."}),
                "coreml": ("BOOLEAN", {"default": False, "tooltip": (
                    "Also write it as AudioEncoder.mlpackage, float32 (needs coremltools).")}),
                "checkpoint": ([NO_CHECKPOINT, *model_names(FOLDER)], {"default": NO_CHECKPOINT, "tooltip": (
                    "The encoder to write as ONNX or CoreML; it must be the one that `speech` was made with.")}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(self, speech: Speech, folder: str, onnx: bool, coreml: bool, checkpoint: str, node_id: str | None = None) -> dict[str, Any]:
        place = reference_folder(folder)
        export_reference(speech, place, progress=node_progress("Export Speech Reference", node_id))
        written = export_networks(speech, place, checkpoint, onnx=onnx, coreml=coreml)
        text = "\n".join([f"{speech.frames} frames in {place}", *(path.name for path in written)])
        return {"ui": {"text": [text]}, "result": (str(place),)}
