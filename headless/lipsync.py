"""``talkies lipsync --video IN.mp4 --audio IN.wav --checkpoint FILE --out OUT.mp4``: a video whose lips say another sound.

The clip is read once to find the face, once more to measure its motion where that is wanted, and once to draw; only the track is kept.
"""
from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any, TypeVar

import av
from av.error import FFmpegError

from ..core.arrays import Waveform, to_waveform
from ..core.face.align import align
from ..core.face.find import FaceSearch, find_face
from ..core.face.motion import measure_motion
from ..core.face.smooth.select import Smoothing, smooth
from ..core.face.track import FaceTrack
from ..core.lipsync.clip import Lengthened, fitted, lengthened
from ..core.lipsync.finish import FinishSettings
from ..core.lipsync.ledger import Ledger
from ..core.lipsync.lip_report import lip_report
from ..core.lipsync.lip_settings import LipSettings
from ..core.lipsync.lip_sync import LipSync
from ..core.lipsync.sound import hear_waveform
from ..core.report import Report
from ..core.settings import settings_of
from ..core.upscale.engine import Runtime
from ..core.upscale.family import FOLDER as UPSCALE_MODELS
from ..core.upscale.upscaler import Upscaler
from ..core.video.audio_copy import Audio, CopyAudio, EncodeAudio
from ..core.video.clip import FrameSource, VideoError
from ..core.video.encoding import CONTAINERS
from ..core.video.memory import chunk_frames
from ..core.video.render import render
from ..core.video.sink import create_sink
from ..core.video.source import open_source
from ..core.video.stills import partial_path, require_folder
from ..host.devices import compute_device, loaded, out_of_memory
from ..host.folders import model_folders
from ..host.lips import LICENCE, open_lips
from ..host.progress import node_progress
from ..host.video_type import decode_sound
from ..nodes.form import runs_of
from .lipsync_config import read_config
from .paste import read_track
from .setting_options import add_settings

_Settings = TypeVar("_Settings")

_FILES = {"video": "the clip", "audio": "the voice: a sound file, or a video with sound", "checkpoint": "Diff2Lip's weights: a file, or a "
          "name in models/diff2lip", "out": f"the result ({', '.join(CONTAINERS)}), with the voice as its sound",
          "track": "a track that `talkies align` wrote, instead of finding the face anew", "report": "all figures, as JSON"}
_REQUIRED = ("video", "audio", "checkpoint", "out")


def add_parser(commands: Any) -> None:
    """Add the command to the command line. Only what is given stands in the options, so that a configuration file can give the rest."""
    parser = commands.add_parser("lipsync", help="draw the lips of a video anew, so that they say what a voice says (Diff2Lip)",
                                 argument_default=argparse.SUPPRESS, epilog=LICENCE)
    for name, text in _FILES.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    parser.add_argument("--config", type=Path, metavar="FILE.yaml", help="any of these options in YAML; those given here come first")
    parser.add_argument("--length", choices=("trim", "hold", "loop", "bounce"),
                        help="when the voice is longer than the clip: trim the voice, hold the last frame, loop the clip, or bounce it "
                             "back and forth. Default: trim")
    parser.add_argument("--fps", type=float, help="frames a second, where the video states none; default 25")
    for cls in (LipSettings, FinishSettings, FaceSearch):
        add_settings(parser, cls, given_only=True)
    (method,) = (entry for entry in settings_of(Smoothing) if entry.name == "method")
    parser.add_argument("--smooth", dest="method", choices=method.choices, help=f"{method.help} Default: {method.default}.")
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    given = vars(options)
    given = {**(read_config(given["config"]) if "config" in given else {}), **given}
    missing = [name for name in _REQUIRED if name not in given]
    if missing:
        listed = ", ".join(f"--{name} ({_FILES[name]})" for name in missing)
        raise ValueError(f"Still wanted: {listed}; on the command line or in --config.")
    out: Path = given["out"]
    if out.suffix.lower() not in CONTAINERS:
        raise VideoError(f"--out is {out.name}; a video with sound is written: {', '.join(CONTAINERS)}.")
    for path in (out, given.get("report")):
        if path is not None:
            require_folder(path)
    drawing, finish, search = _settings(LipSettings, given), _settings(FinishSettings, given), _settings(FaceSearch, given)
    waveform, rate = read_sound(given["audio"])
    model = open_lips(given["checkpoint"])  # before the face is looked for: a wrong file is told at once
    sound = hear_waveform(waveform, rate)
    upscaler = Upscaler(None, tuple(model_folders(UPSCALE_MODELS)), Runtime(loaded, out_of_memory()))
    ledger = Ledger()
    with open_source(given["video"], given.get("fps")) as opened:
        track = read_track(given["track"]) if "track" in given else _track(opened, search, given)
        whole = lengthened(track, sound, given.get("length", "trim"), opened.info.frames if "track" in given else None)
        operation = LipSync(**_values(drawing), track=whole.track, sound=sound, model=model, finish=finish.chain(upscaler), ledger=ledger)
        operation.require_face()
        audio = _audio(given["audio"], waveform, rate, whole)
        operation = _draw(whole.source(opened), operation, out, audio)
    report = lip_report(operation, whole, sound, ledger)
    print(f"{out}: {report.figures['frames drawn']} of {report.figures['frames']} frames drawn\n{report.to_text()}")
    if "report" in given:
        _write(given["report"], report)
    return 0


def _draw(source: FrameSource, operation: LipSync, out: Path, audio: Audio) -> LipSync:
    """Draw from file to file; give the operation with what it learnt."""
    size = chunk_frames(source.info, 0, 1, operation.radius)
    if operation.needs_survey:
        operation = operation.survey(((c.start, c.frames) for c in source.chunks(size)), node_progress("pilot", unit="steps"))
    with create_sink(out, source.info, None, audio) as sink:
        render(source, sink, operation, size, node_progress("lips"))
    return operation


def _track(source: FrameSource, search: FaceSearch, given: dict[str, Any]) -> FaceTrack:
    """Find the face and take the shake out of its track."""
    info = source.info
    found = find_face(runs_of(source), (info.height, info.width), info.fps, search, model_folders("talkies"), device=str(compute_device()),
                      progress=node_progress("face"), total=info.frames or 0)
    track = align(found.track, 128, "diff2lip")
    smoothing = Smoothing(given.get("method", "fused"))
    if smoothing.method == "fused":
        track = track.with_motion(measure_motion(runs_of(source), track.anchors, track.found, node_progress("motion")))
    return smooth(track, smoothing).track


def _audio(path: Path, waveform: Waveform, rate: int, whole: Lengthened) -> Audio:
    """Give the sound of the result: the file's own packets where they fit, else its samples cut to the length of the frames."""
    kept = fitted(waveform, rate, len(whole.order), whole.track.fps)
    return CopyAudio(path) if kept.shape == waveform.shape else EncodeAudio(kept, rate)


def read_sound(path: Path) -> tuple[Waveform, int]:
    """Read the first sound of a file, ``[C,T]``, and its rate (Hz).

    Raises:
        VideoError: there is no such file, or no sound in it.
    """
    if not path.is_file():
        raise VideoError(f"{path} does not exist; the voice is wanted there.")
    try:
        with av.open(str(path)) as container:
            sound = decode_sound(container) if container.streams.audio else None
    except FFmpegError as error:
        raise VideoError(f"{path.name} cannot be read as sound ({error.strerror}).") from error
    if sound is None:
        raise VideoError(f"{path.name} holds no sound.")
    return to_waveform(sound["waveform"]), int(sound["sample_rate"])


def _settings(cls: type[_Settings], given: dict[str, Any]) -> _Settings:
    return cls(**{entry.name: given[entry.name] for entry in settings_of(cls) if entry.name in given})


def _values(settings: LipSettings) -> dict[str, Any]:
    return {entry.name: getattr(settings, entry.name) for entry in settings_of(LipSettings)}


def _write(path: Path, report: Report) -> None:
    hidden = partial_path(path)
    hidden.write_text(json.dumps(report.to_json(), indent=1), encoding="utf-8")
    os.replace(hidden, path)
