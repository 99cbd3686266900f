"""The Clean Speech node."""
from __future__ import annotations

from typing import Any

from ..core.arrays import to_waveform, to_waveform_tensor
from ..core.audio.clean import chain
from ..host.progress import node_progress
from .form import InputTypes, widgets
from .names import REPORT, category
from .panel import with_panel


class CleanSpeech:
    """See web/docs/TalkiesCleanSpeech.md."""

    CATEGORY = category("Speech")
    DESCRIPTION = "Takes background noise out of a voice, evens it out, brings it to a loudness, and reports on its quality."
    SEARCH_ALIASES = ["denoise audio", "noise reduction", "loudness", "LUFS", "normalize", "compressor", "voice"]
    RETURN_TYPES = ("AUDIO", REPORT)
    RETURN_NAMES = ("audio", "report")
    OUTPUT_TOOLTIPS = (
        "The cleaned voice, at the rate and with the channels it came in. With everything off, the very same sound.",
        "Loudness, true peak, noise, clipping, bandwidth, speech and voiced share, before and after.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                "audio": ("AUDIO", {"tooltip": "The voice track, any sample rate and channel count."}),
                **widgets(chain.CleanSpeech),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(self, audio: dict[str, Any], node_id: str | None = None, **settings: Any) -> dict[str, Any]:
        clean = chain.CleanSpeech(**settings)
        made, report = clean(to_waveform(audio["waveform"]), int(audio["sample_rate"]), node_progress("Clean Speech", node_id))
        if clean.identity:
            return with_panel((audio, report), report)
        return with_panel(({"waveform": to_waveform_tensor(made), "sample_rate": int(audio["sample_rate"])}, report), report)
