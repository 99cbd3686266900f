"""Pieces of a video, encoded one by one, joined to one file without encoding anything again."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from ..progress import Progress, silent
from .audio_copy import Audio, open_audio
from .clip import VideoError
from .container import open_container, video_stream
from .sink import decoding_times
from .stills import partial_path


def join(
    pieces: Sequence[Path], times: Sequence[int], time_base: Fraction, path: Path, audio: Audio | None = None, progress: Progress = silent
) -> None:
    """Join pieces that one encoder made with the same settings; each begins with a key frame.

    Packets are copied as they are; only their times are written anew, so a container that counts in milliseconds rounds them once.

    Args:
        pieces: files of one kind, in order.
        times: when each frame of the whole clip is shown, in units of `time_base`, strictly increasing.
        time_base: seconds.
        path: the file that is made; it takes its name only when it is whole.
        audio: its sound.
        progress: called a piece; may raise to cancel.

    Raises:
        VideoError: a piece is missing or was encoded otherwise, or there are not as many frames as times.
    """
    order = [_shown_order(piece) for piece in pieces]
    count = sum(len(places) for places in order)
    if count != len(times):
        raise VideoError(f"{path.name}: the pieces hold {count} frames, {len(times)} were wanted. Remove the folder of pieces "
                         "and begin anew.")
    shown: list[int] = []  # the time of every packet, in decoding order
    for places in order:
        first = len(shown)
        shown += [times[first + place] for place in places]
    decoded = decoding_times(shown)
    steps = _durations(times)
    partial = partial_path(path)
    try:
        _write(pieces, zip(shown, decoded, strict=True), steps, time_base, path, partial, audio, progress)
        partial.replace(path)
    except FFmpegError as error:
        raise VideoError(f"{path.name}: the pieces cannot be joined ({error.strerror}). Check that the disk is not full.") from error
    finally:
        partial.unlink(missing_ok=True)


def _write(
    pieces: Sequence[Path], clock: Iterator[tuple[int, int]], steps: dict[int, int], time_base: Fraction, path: Path, partial: Path,
    audio: Audio | None, progress: Progress,
) -> None:
    movie = path.suffix.lower() in (".mp4", ".m4v", ".mov")
    scale = math.lcm(time_base.denominator, 1000)  # as in `FileSink`: a late start is written in units of the movie's own clock
    options = {"fflags": "+bitexact"}  # no random ids, no date: the same pieces make the same file
    if movie:
        options |= {"movflags": "+faststart", "movie_timescale": str(scale if scale < 2**31 else time_base.denominator)}
    with av.open(str(partial), "w", container_options=options) as container:
        stream: Any = None
        track = None
        header = b""
        try:
            for done, piece in enumerate(pieces):
                progress(done, len(pieces))
                with open_container(piece) as read:
                    source: Any = video_stream(read, piece.name)
                    if stream is None:
                        header = bytes(source.codec_context.extradata or b"")
                        stream = container.add_stream_from_template(source, opaque=True)
                        stream.time_base = time_base
                        track = open_audio(audio, container, path)
                    elif bytes(source.codec_context.extradata or b"") != header:
                        raise VideoError(f"{path.name}: piece {piece.name} was encoded with other settings than the first one. Remove the "
                                         "folder of pieces and begin anew.")
                    for packet in read.demux(source):
                        if not packet.size:
                            continue
                        packet.stream = stream
                        packet.time_base = time_base
                        packet.pts, packet.dts = next(clock)
                        packet.duration = steps[packet.pts]
                        now = packet.pts * time_base
                        container.mux(packet)
                        assert track is not None
                        track.advance(now)
            assert track is not None
            track.finish()
            progress(len(pieces), len(pieces))
        finally:
            if track is not None:
                track.close()


def _shown_order(piece: Path) -> list[int]:
    """Give, for each packet of a piece in decoding order, which of its frames it is in the order of showing."""
    with open_container(piece) as container:
        times = [packet.pts for packet in container.demux(video_stream(container, piece.name)) if packet.size and packet.pts is not None]
    places = {time: place for place, time in enumerate(sorted(times))}
    if len(places) != len(times):
        raise VideoError(f"{piece.name}: two frames have one time; remove the folder of pieces and begin anew.")
    return [places[time] for time in times]


def _durations(times: Sequence[int]) -> dict[int, int]:
    steps = {time: after - time for time, after in pairwise(times)}
    steps[times[-1]] = times[-1] - times[-2] if len(times) > 1 else 1
    return steps
