"""The Audio Encode node."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.arrays import to_frames, to_image, to_waveform, to_waveform_tensor
from ..core.audio.context import BORDERS
from ..core.audio.heat import mel_heat, mel_ticks
from ..core.audio.mel import PRESETS, mel_spectrogram
from ..core.audio.spectrogram import spectrogram_picture
from ..core.audio.windows import frame_rate
from ..core.video.moments import jpeg
from ..host.folders import model_names
from ..host.previews import save_previews, save_sound
from ..host.progress import node_progress
from ..host.speech import FOLDER, NO_CHECKPOINT, encode_speech
from .form import InputTypes
from .names import REPORT, SPEECH, category
from .panel import with_panel


class AudioEncode:
    """See web/docs/TalkiesAudioEncode.md."""

    CATEGORY = category("Speech")
    DESCRIPTION = "Turns speech into what lip-sync networks hear: the mel spectrogram and one feature for every video frame."
    SEARCH_ALIASES = ["mel", "spectrogram", "audio features", "lip sync", "ave", "hubert", "wenet", "SyncTalk"]
    RETURN_TYPES = (SPEECH, "IMAGE", "AUDIO", REPORT)
    RETURN_NAMES = ("speech", "spectrogram", "audio", "report")
    OUTPUT_TOOLTIPS = (
        "The mel and the features of every video frame.",
        "The mel as a picture, seconds along the bottom, Hz up the side.",
        "The sound as the network heard it: mono, 16 kHz.",
        "What was made: counts, ranges, hashes, and what was done to the sound on the way.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                "audio": ("AUDIO", {"tooltip": "The speech: any sample rate and channel count. Channels are averaged."}),
                "mode": (["ave", "hubert", "wenet", "mel"], {"default": "ave", "tooltip": (
                    "What makes the features: SyncTalk's AudioEncoder, HuBERT large, or WeNet. "
                    "mel makes none; it is all that Diff2Lip needs.")}),
                "checkpoint": ([NO_CHECKPOINT, *model_names(FOLDER)], {"default": NO_CHECKPOINT, "tooltip": (
                    "The network's file in models/audio_encoders: audio_visual_encoder.pth (ave), the weights in HuBERT's folder (hubert), "
                    "or encoder.onnx (wenet).")}),
                "fps": ("FLOAT", {"default": 25.0, "min": 1.0, "max": 240.0, "step": 0.001, "tooltip": (
                    "Video frames a second. 23.976, 29.97 and 59.94 are taken for what they stand for.")}),
                "border": (list(BORDERS), {"default": "zeros", "tooltip": (
                    "What a frame hears before the first and after the last feature: zeros (as trained), the edge repeated, "
                    "or the older fork's rule.")}),
                "frame_count": ("INT", {"default": 0, "min": 0, "max": 10_000_000, "step": 1, "tooltip": (
                    "How many video frames to make features for. 0: as many as `images` has, or as the sound gives.")}),
                "preset": (list(PRESETS), {"default": "standard", "tooltip": (
                    "Of the picture, and of what `mode` mel gives: enhanced is finer (128 bands, 22.05 kHz), to look at only; "
                    "no network takes it.")}),
            },
            "optional": {
                "images": ("IMAGE", {"tooltip": "The video; only its number of frames is used."}),
                "features": ("STRING", {"default": "", "tooltip": "Path of precomputed features (.npy) to use in place of a network."}),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(
        self, audio: dict[str, Any], mode: str, checkpoint: str, fps: float, border: str, frame_count: int, preset: str = "standard",
        images: Any = None, features: str = "", node_id: str | None = None,
    ) -> dict[str, Any]:
        waveform, rate = to_waveform(audio["waveform"]), int(audio["sample_rate"])
        frames = frame_count or (None if images is None else len(to_frames(images, finite=False)))
        speech, report = encode_speech(
            waveform, rate, mode=mode, checkpoint=checkpoint, fps=frame_rate(fps), border=border, frames=frames, preset=preset,
            features=Path(features) if features else None, progress=node_progress("Audio Encode", node_id))
        kind = PRESETS[preset]
        mel = speech.mel if preset == "standard" else mel_spectrogram(waveform, rate, kind)
        title = (f"{kind.name}: {kind.bands} bands, {kind.sample_rate} Hz, {mel.shape[1]} columns; "
                 f"{mode}, {speech.frames} frames at {fps:g} fps")
        sound = {"waveform": to_waveform_tensor(speech.sound), "sample_rate": speech.sample_rate}
        panel = {
            "picture": save_previews([jpeg(mel_heat(mel, kind), 2048)], "mel")[0], "ticks": mel_ticks(kind), "says": title,
            "fps": float(fps),
            "sound": save_sound(speech.sound, speech.sample_rate, "speech"), "seconds": speech.sound.shape[1] / speech.sample_rate,
        }
        return with_panel((speech, to_image(spectrogram_picture(mel, kind, title)[None]), sound, report), talkies_speech=panel)
