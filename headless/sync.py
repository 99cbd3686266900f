"""``talkies sync VIDEO [--audio WAV]``: whether the lips and the sound of a clip fit, in frames."""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from ..core.arrays import Waveform, contiguous, to_waveform
from ..core.face.find import FaceSearch, find_face
from ..core.face.track import FaceTrack
from ..core.measure.sync import mouth_motion, speech_energy, sync
from ..core.measure.syncnet import load_syncnet, sync_score
from ..core.video.clip import FrameSource, VideoError
from ..core.video.container import open_container
from ..core.video.source import open_source
from ..host.devices import compute_device, loaded
from ..host.folders import model_folders
from ..host.progress import node_progress
from ..nodes.form import runs_of
from .setting_options import add_settings, settings_from
from .speech import read_sound


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("sync", help="whether the lips and the sound of a clip fit: offset in frames, correlation, confidence")
    parser.add_argument("video", type=Path, metavar="VIDEO", help="the clip")
    parser.add_argument("--audio", type=Path, metavar="WAV", help="the sound to compare with; default: the clip's own")
    parser.add_argument("--track", type=Path, metavar="TRACK.json", help="the track that `talkies align` wrote, instead of a search")
    parser.add_argument("--reach", type=int, default=15, metavar="FRAMES", help="largest offset looked at; default 15")
    parser.add_argument("--syncnet", type=Path, metavar="FILE", help="syncnet_v2.model, for LSE-D and LSE-C as well")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="all figures, and the correlation at every offset")
    add_settings(parser, FaceSearch)
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        ValueError: the mouth cannot be measured, the clip is too short, or a number is out of range.
    """
    if not 4 <= options.reach <= 250:
        raise ValueError(f"--reach is {options.reach}; it must be between 4 and 250 frames.")
    network = load_syncnet(options.syncnet) if options.syncnet else None
    sound, rate = read_sound(options.audio) if options.audio else sound_of(options.video)
    with open_source(options.video) as source:
        if options.track:
            track = FaceTrack.loads(options.track.read_text(encoding="utf-8"))
        else:
            track = _followed(source, settings_from(options, FaceSearch))
        found = sync(mouth_motion(track), speech_energy(sound, rate, track.fps, len(track)), track.fps, options.reach)
        reports = [found.report()]
        if network is not None:
            with loaded(network):
                reports.append(sync_score(network, runs_of(source), track, sound, rate, node_progress("SyncNet")).report())
    print("\n".join(report.to_text() for report in reports))
    if options.report:
        options.report.write_text(json.dumps([report.to_json() for report in reports], indent=1), encoding="utf-8")
    return 0


def _followed(source: FrameSource, search: FaceSearch) -> FaceTrack:
    info = source.info
    return find_face(runs_of(source), (info.height, info.width), info.fps, search, model_folders("talkies"), device=str(compute_device()),
                     progress=node_progress("face"), total=info.frames or 0).track


def sound_of(path: Path) -> tuple[Waveform, int]:
    """Decode the first sound of a video file as ``[C,T]`` and its rate; it begins where the picture does.

    Raises:
        VideoError: the file holds no sound, or it cannot be decoded.
    """
    with open_container(path) as container:
        if not container.streams.audio:
            raise VideoError(f"{path.name} holds no sound; name one with --audio.")
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp")
        try:
            parts = [(frame.time or 0.0, part.to_ndarray()) for frame in container.decode(stream) for part in resampler.resample(frame)]
        except FFmpegError as error:
            raise VideoError(f"The sound of {path.name} cannot be decoded ({error}); name another with --audio.") from error
        if not parts:
            raise VideoError(f"{path.name} holds an empty sound; name one with --audio.")
        rate, pictures = int(stream.rate), container.streams.video
        begin = float(pictures[0].start_time * pictures[0].time_base) if pictures and pictures[0].start_time else 0.0
    sound = np.concatenate([samples for _, samples in parts], axis=1)
    late = round((parts[0][0] - begin) * rate)
    sound = np.pad(sound, ((0, 0), (late, 0))) if late > 0 else sound[:, -late:]
    return to_waveform(contiguous(sound.astype(np.float32)), path.name), rate
