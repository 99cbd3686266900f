"""The Diff2Lip Generate node."""
from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from ..core.arrays import Waveform, to_frames, to_image, to_waveform, to_waveform_tensor
from ..core.audio.speech import Speech
from ..core.face.track import FaceTrack
from ..core.lipsync.clip import Lengthened, fitted, lengthened, run_batch
from ..core.lipsync.finish import FinishSettings
from ..core.lipsync.ledger import Ledger
from ..core.lipsync.lip_report import lip_report
from ..core.lipsync.lip_settings import LipSettings
from ..core.lipsync.lip_sync import LipSync
from ..core.lipsync.model import LipModel
from ..core.lipsync.sound import LipSound, hear_speech, hear_waveform
from ..core.masked import Mask
from ..core.operation import Chain
from ..core.progress import Progress
from ..core.settings import settings_of
from ..core.upscale.engine import Runtime
from ..core.upscale.family import FOLDER as UPSCALE_MODELS
from ..core.upscale.upscaler import Upscaler
from ..core.video.audio_copy import EncodeAudio
from ..core.video.memory import chunk_frames
from ..core.video.render import render
from ..core.video.sink import create_sink
from ..host.blocker import blocked
from ..host.devices import loaded, out_of_memory
from ..host.folders import model_folders, temporary_folder
from ..host.progress import node_progress
from ..host.video import open_video, video_from_file, video_from_frames
from .form import MASK_IN, OPS_IN, OPS_OUT, InputTypes, appended, widgets
from .names import LIPS, OPS, REPORT, SPEECH, TRACK, category
from .panel import with_panel
from .super_resolve import UPSCALE_MODEL_IN


class Diff2LipGenerate:
    """See web/docs/TalkiesDiff2LipGenerate.md."""

    CATEGORY = category("Lips")
    DESCRIPTION = "Draws the lips of a face anew, so that they say what a voice says; every pixel outside the mask keeps its bits."
    SEARCH_ALIASES = ["lip sync", "lipsync", "diff2lip", "wav2lip", "latentsync", "musetalk", "dub", "talking head"]
    RETURN_TYPES = ("IMAGE", "IMAGE", "MASK", "VIDEO", OPS, REPORT)
    RETURN_NAMES = ("images", "crops", "mask", "video", "ops", "report")
    OUTPUT_TOOLTIPS = (
        "The whole frames with the new lips, when `images` is linked.",
        "The finished faces, one a frame, when `images` is linked.",
        "How much each pixel changed: where it is black, the frame has its own bits.",
        "The result with the new sound; of a linked `video` a file made frame by frame, of any length.",
        OPS_OUT + " Give Render Video the new sound as well.",
        "What was drawn and what passed, evaluations a frame, estimated error, speed, and how far off a shortcut is.",
    )
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypes:
        return {
            "required": {
                "lips": (LIPS, {"tooltip": "The network, from Load Diff2Lip."}),
                "track": (TRACK, {"tooltip": "The face in every frame, from Video Align or Ultra Smooth, which gives steadier lips."}),
                **_drawing(), **widgets(FinishSettings),
                "length": (["trim", "hold", "loop", "bounce"], {"default": "trim", "tooltip": (
                    "When the sound is longer than the clip. trim: cut the sound, as many frames come out as went in. hold: stay on the "
                    "last frame. loop: start over. bounce: run back and forth. A shorter sound is followed by silence.")}),
            },
            "optional": {
                "images": ("IMAGE", {"tooltip": "The frames that were tracked. Link these or `video`."}),
                "video": ("VIDEO", {"tooltip": "The clip that was tracked, of any length: it is worked on a few frames at a time."}),
                "audio": ("AUDIO", {"tooltip": "The voice: any sample rate and channel count. It becomes the sound of the result."}),
                "speech": (SPEECH, {"tooltip": "The voice from Audio Encode, any mode; where `audio` is linked too, this is listened to."}),
                "mask": (MASK_IN[0], {"tooltip": MASK_IN[1]["tooltip"] + " In the whole frame, e.g. from Lip Mask in frame space."}),
                "upscale_model": UPSCALE_MODEL_IN,
                "ops": OPS_IN,
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def run(
        self, lips: LipModel, track: FaceTrack, length: Any, images: Any = None, video: Any = None, audio: dict[str, Any] | None = None,
        speech: Speech | None = None, mask: Any = None, upscale_model: Any = None, ops: Chain | None = None, node_id: str | None = None,
        **settings: Any,
    ) -> Any:
        if images is not None and video is not None:
            raise ValueError("Diff2Lip Generate: both images and video are linked; link one of them.")
        progress = node_progress("Diff2Lip", node_id, "steps")
        sound, waveform, rate = _sound(audio, speech)
        names = {entry.name for entry in settings_of(LipSettings)}
        finish = FinishSettings(**{k: v for k, v in settings.items() if k not in names})
        upscaler = Upscaler(upscale_model, tuple(model_folders(UPSCALE_MODELS)), Runtime(loaded, out_of_memory()))
        ledger = Ledger()
        operation = LipSync(
            **{k: v for k, v in settings.items() if k in names}, track=track, sound=sound, model=lips,
            within=None if mask is None else Mask(mask), finish=finish.chain(upscaler))
        chain = appended(ops, operation)
        count = None if images is None else len(to_frames(images, "Diff2Lip Generate: images"))
        whole = lengthened(track, sound, length, count)
        working = replace(operation, track=whole.track, within=_extended(operation.within, whole), ledger=ledger,
                          preview=progress.picture)
        kept = fitted(waveform, rate, len(whole.order), track.fps)
        nothing = blocked("Diff2Lip Generate: link images for this output; of a video only the video output is made.")
        if images is not None:
            working, made = run_batch(working, whole.frames(images), progress)
            frames = to_image(made.frames)
            clip = video_from_frames(frames[..., :3], track.fps, {"waveform": to_waveform_tensor(kept), "sample_rate": rate})
            parts: tuple[Any, ...] = (frames, to_image(made.faces), to_image(made.masks), clip)
        elif video is not None:
            working, clip = _streamed(working, whole, video, EncodeAudio(kept, rate), progress)
            parts = (nothing, nothing, nothing, clip)
        else:
            return (*(nothing,) * 4, chain, blocked("Diff2Lip Generate: nothing was drawn, so there is nothing to report."))
        report = lip_report(working, whole, sound, ledger)
        return with_panel((*parts, chain, report), report)


def _drawing() -> dict[str, Any]:
    """Give the widgets of the drawing, with a seed that stays: a new one at every run would only draw other lips of the same kind."""
    entries = widgets(LipSettings)
    entries["seed"][1]["control_after_generate"] = False
    return entries


def _streamed(operation: LipSync, whole: Lengthened, video: Any, audio: EncodeAudio, progress: Progress) -> tuple[LipSync, Any]:
    """Draw a video from file to file; give the operation with what it learnt, and the result."""
    path = temporary_folder() / f"talkies_{uuid.uuid4().hex[:12]}.mp4"
    with open_video(video) as opened:
        source = whole.source(opened)
        size = chunk_frames(source.info, 0, 1, operation.radius)
        if operation.needs_survey:
            operation = operation.survey(((c.start, c.frames) for c in source.chunks(size)), progress)
        with create_sink(path, source.info, None, audio) as sink:
            render(source, sink, operation, size, progress)
    return operation, video_from_file(path)


def _sound(audio: dict[str, Any] | None, speech: Speech | None) -> tuple[LipSound, Waveform, int]:
    """Give what the network hears, and the sound of the result with its rate.

    Raises:
        ValueError: there is no sound.
    """
    if audio is None and speech is None:
        raise ValueError("Diff2Lip Generate: neither audio nor speech is linked; link the voice that the lips are to say.")
    if audio is None:
        assert speech is not None
        return hear_speech(speech), speech.sound, speech.sample_rate
    waveform, rate = to_waveform(audio["waveform"]), int(audio["sample_rate"])
    return hear_waveform(waveform, rate) if speech is None else hear_speech(speech), waveform, rate


def _extended(mask: Mask | None, whole: Lengthened) -> Mask | None:
    """Give a mask a frame in the order of a lengthened clip."""
    return Mask(mask.planes[whole.order]) if mask is not None and mask.shape[0] > 1 and whole.extended else mask
