"""``talkies paste CROPS FRAMES TRACK.json --out OUT.mp4``: put processed crops back into the frames that they were cut from."""
from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..core.arrays import Frames
from ..core.face.paste import PasteSettings, paste_clip
from ..core.face.track import FaceTrack, TrackError
from ..core.operation import Numbered
from ..core.parallel import worker_count
from ..core.settings import settings_of
from ..core.video.audio_copy import CopyAudio
from ..core.video.clip import Chunk, FrameSink, FrameSource, VideoError
from ..core.video.encoding import CONTAINERS, Encoding
from ..core.video.memory import chunk_frames
from ..core.video.sink import create_sink
from ..core.video.source import FileSource, open_source
from ..host.progress import node_progress
from .setting_options import add_settings, settings_from

Watcher = Callable[[int, Frames], None]
"""Shown every run of frames as it passes: the index of its first frame, and the frames. It must not keep or change them."""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("paste", help="put processed crops back into the frames that `talkies align` cut them from")
    parser.add_argument("crops", type=Path, metavar="CROPS",
                        help="one crop for each frame of the track, of any size: a video, a folder, a .npy")
    parser.add_argument("frames", type=Path, metavar="FRAMES", help="the whole frames; the sound comes from here")
    parser.add_argument("track", type=Path, metavar="TRACK.json", help="the track that `talkies align` wrote with the crops")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.mp4",
                        help=f"a video ({', '.join(CONTAINERS)}), a folder, or a .npy")
    parser.add_argument("--fps", type=float, help="frames a second, where FRAMES states none; default 25")
    add_settings(parser, PasteSettings)
    (codec,) = (entry for entry in settings_of(Encoding) if entry.name == "codec")
    parser.add_argument("--codec", choices=codec.choices, help="default: what the suffix of OUT stands for; ffv1 in .mkv is lossless")
    parser.add_argument("--quality", type=int, default=-1,
                        help="the encoder's constant quality, lower is better; default: visually lossless")
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    settings = settings_from(options, PasteSettings)
    track = read_track(options.track)
    started = time.monotonic()
    with open_source(options.crops) as crops, open_source(options.frames, options.fps) as source:
        if (source.info.height, source.info.width) != track.size:
            raise TrackError(f"{options.frames.name} is {source.info.width}x{source.info.height} px, the track was made on "
                             f"{track.size[1]}x{track.size[0]} px; name the clip that was aligned.")
        audio = CopyAudio(options.frames) if isinstance(source, FileSource) and options.out.suffix.lower() in CONTAINERS else None
        with create_sink(options.out, source.info, _encoding(options), audio) as sink:
            frames = paste_into(source, crops, track, settings, sink)
    print(f"{options.out}: {frames} frames, the crop pasted into {len(track)}, in {time.monotonic() - started:.1f} s")
    return 0


def read_track(path: Path) -> FaceTrack:
    """Read a track that `talkies align` wrote.

    Raises:
        TrackError: there is no such file, it is no track, or not an aligned one.
    """
    if not path.is_file():
        raise TrackError(f"{path.name} does not exist. `talkies align IN --track {path.name}` writes it.")
    track = FaceTrack.loads(path.read_text(encoding="utf-8"))
    if track.matrices is None:
        raise TrackError(f"{path.name} holds no matrices, so no crop was cut with it; align the clip again.")
    return track


def paste_into(
    source: FrameSource, crops: FrameSource, track: FaceTrack, settings: PasteSettings, sink: FrameSink, *,
    before: Watcher | None = None, after: Watcher | None = None,
) -> int:
    """Paste a clip of crops into a clip of frames, both read by chunks; every frame keeps its time. Gives the count of frames.

    `before` and `after` are shown each run of frames as it comes and as it is written.

    Raises:
        VideoError: there are more crops than frames in the track, or fewer frames than the track covers.
        ArrayError: there are fewer crops.
    """
    times: list[int] = []
    waiting = _one_by_one(crops)
    count, together = 0, worker_count()
    for start, frames in paste_clip(_numbered(source, times, before), waiting, track, settings, node_progress("paste")):
        if after:
            after(start, frames)
        for first in range(0, len(frames), together):
            part = frames[first : first + together]
            sink.write(Chunk(start + first, part, tuple(times[: len(part)])))
            del times[: len(part)]
        count += len(frames)
    if count < track.stop:
        raise VideoError(f"The track covers frames {track.start} to {track.stop - 1}, but there are only {count}; name the clip that was "
                         "aligned.")
    if next(waiting, None) is not None:
        raise VideoError(f"There are more crops than the {len(track)} frames of the track; name the crops that were cut with it.")
    return count


def _numbered(source: FrameSource, times: list[int], before: Watcher | None) -> Iterator[Numbered]:
    """Read the frames; their times are noted in `times`."""
    for chunk in source.chunks(chunk_frames(source.info)):
        times.extend(chunk.times)
        if before:
            before(chunk.start, chunk.frames)
        yield chunk.start, chunk.frames


def _one_by_one(crops: FrameSource) -> Iterator[Numbered]:
    for chunk in crops.chunks(chunk_frames(crops.info)):
        run: Frames = chunk.frames
        for i in range(len(run)):
            yield chunk.start + i, run[i : i + 1]


def _encoding(options: argparse.Namespace) -> Encoding | None:
    if options.out.suffix.lower() not in CONTAINERS:
        return None
    return Encoding(options.codec or Encoding.for_file(options.out).codec, options.quality)
