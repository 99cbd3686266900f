"""The Render Video node."""
from __future__ import annotations

import time
import uuid
from typing import Any

from ..core.arrays import to_waveform
from ..core.lipsync.clip import fitted
from ..core.operation import Chain
from ..core.report import Report
from ..core.video.audio_copy import Audio, EncodeAudio
from ..core.video.clip import FrameSource
from ..core.video.encoding import CONTAINERS, Encoding
from ..core.video.memory import chunk_frames
from ..core.video.render import render, rendered_info
from ..core.video.sink import create_sink
from ..host.folders import temporary_folder
from ..host.progress import node_progress
from ..host.video import open_video, sound_of, video_from_file
from .form import InputTypes, widgets
from .names import OPS, REPORT, category
from .panel import with_panel


class RenderVideo:
    """See web/docs/TalkiesRenderVideo.md."""

    CATEGORY = category("Video")
    DESCRIPTION = "Streams a video of any length through a chain of Talkies steps, a few frames at a time, and keeps its sound and timing."
    SEARCH_ALIASES = ["stream video", "long video", "process video", "low memory", "apply ops", "encode"]
    RETURN_TYPES = ("VIDEO", REPORT)
    RETURN_NAMES = ("video", "report")
    OUTPUT_TOOLTIPS = ("The finished video, a file in the temporary folder; Save Video copies it without encoding it again.",
                       "Frames, seconds, size and rate of the run.")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        encoding = widgets(Encoding)
        return {
            "required": {
                "video": ("VIDEO", {"tooltip": "The video. It is read from its file as it is needed, never as a whole."}),
                "ops": (OPS, {"tooltip": "What to do to the frames: the `ops` output of any Talkies frame node, or of a chain of them."}),
                **{name: encoding[name] for name in ("codec", "quality", "speed")},
                "memory": ("INT", {"default": 0, "min": 0, "max": 65536, "step": 16,
                                   "tooltip": "How much memory the frames at work may take; 0 is 128 for each CPU core. Unit: MiB."}),
            },
            "optional": {"audio": ("AUDIO", {"tooltip": "A new sound in place of the video's own, e.g. the voice after a lip-sync; it is "
                                             "cut to the length of the video."})},
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(self, video: Any, ops: Chain, codec: str, quality: int, speed: str, memory: int, audio: Any = None,
            node_id: str | None = None) -> dict[str, Any]:
        encoding = Encoding(codec, quality, speed)  # type: ignore[arg-type]  # the widgets offer just these
        suffix = next(suffix for suffix, codecs in CONTAINERS.items() if codec in codecs)
        path = temporary_folder() / f"talkies_{uuid.uuid4().hex[:12]}{suffix}"
        started = time.monotonic()
        with open_video(video) as source:
            info = rendered_info(source.info, ops)
            size = chunk_frames(source.info, memory, ops.scale, ops.radius)
            with create_sink(path, info, encoding, _sound(video, audio, source)) as sink:
                frames = render(source, sink, ops, size, node_progress("Render Video", node_id))
        seconds = time.monotonic() - started
        report = Report("Render Video", {
            "frames": frames, "width (px)": info.width, "height (px)": info.height, "rate (frames/s)": str(info.fps),
            "codec": codec, "frames a chunk": size, "time (s)": seconds, "speed (frames/s)": frames / max(seconds, 1e-9),
        })
        return with_panel((video_from_file(path), report), report)


def _sound(video: Any, audio: dict[str, Any] | None, source: FrameSource) -> Audio | None:
    """Give the video's own sound, or a new one cut to its length where that is known."""
    if audio is None:
        return sound_of(video)
    waveform, rate = to_waveform(audio["waveform"]), int(audio["sample_rate"])
    frames = source.info.frames
    return EncodeAudio(waveform if frames is None else fitted(waveform, rate, frames, source.info.fps), rate)
