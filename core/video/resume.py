"""Rendering that survives an interruption: finished segments stay in a folder beside the output, with a manifest of their hashes."""
from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..operation import Operation
from ..progress import Progress, silent
from .audio_copy import Audio
from .clip import FrameSource, VideoError
from .encoding import Encoding
from .join import join
from .render import NumberedFrames
from .segments import Segment, render_segment, segment_length, segments_of
from .video_file import FileSource

_log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
_EDGE = 2**20  # bytes of a file's beginning and end that stand for it, with its size

Finished = Callable[[Segment, Path, tuple[int, ...]], None]
"""Told of a finished segment: its file in the folder of pieces, and when each of its frames is shown."""


@dataclass(frozen=True)
class Job:
    """What is rendered: whoever renders one segment of it, anywhere, makes the same file."""

    source: FrameSource
    operation: Operation
    encoding: Encoding
    size: int
    """Frames a chunk; it changes the memory needed, never the result."""

    def identity(self, source_name: str, fingerprint: str, length: int) -> dict[str, Any]:
        """Give all that the result depends on, as plain JSON values."""
        encoding = {name: getattr(self.encoding, name) for name in ("codec", "quality", "speed", "pixel_format")}
        return {"source": source_name, "fingerprint": fingerprint, "operation": self.operation.to_json(), "encoding": encoding,
                "frames a segment": length}


Renderer = Callable[[Job, Sequence[Segment], Finished, Progress], None]
"""Renders segments of a job, whose operation is surveyed, in any order and wherever it likes, and reports each finished file."""


def fingerprint(path: Path) -> str:
    """Give a SHA-256 over a file's size, first and last MiB: enough to tell that it is another file, quick on hours of video."""
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_EDGE))
        file.seek(max(0, path.stat().st_size - _EDGE))
        digest.update(file.read(_EDGE))
    return digest.hexdigest()


def frame_count(source: FrameSource) -> int:
    """Count the frames of a clip, by its index where it has one, else by reading it through.

    Raises:
        VideoError: it cannot be decoded.
    """
    index = source.index if isinstance(source, FileSource) else None
    return len(index.stated) if index else sum(len(chunk.frames) for chunk in source.chunks(1))


def pieces_folder(path: Path) -> Path:
    """Give the hidden folder beside an output in which its segments are kept until they are joined."""
    return path.with_name(f".{path.name}.talkies")


def piece_path(folder: Path, segment: Segment, suffix: str) -> Path:
    """Give the file of a segment in that folder."""
    return folder / f"{segment.index:06}{suffix}"


def render_resumable(
    job: Job, source_path: Path, path: Path, frames: int, audio: Audio | None = None, progress: Progress = silent,
    renderer: Renderer | None = None,
) -> int:
    """Render a clip by segments; what an earlier, interrupted call with the same settings finished is kept.

    The file is the same bits whether it was interrupted or not, and whoever rendered which segment. It gets its name only when it is
    whole; then the segments are removed. A survey that the operation asks for is made on every call.

    Args:
        job: source, operation, encoding.
        source_path: the file behind the source; a change of it is noticed.
        path: the output.
        frames: how many the clip has.
        audio: its sound.
        progress: called with frames done; may raise to stop, which keeps the segments finished so far.
        renderer: who renders; here, one segment after the other, when not given.

    Returns:
        How many frames were taken over from an earlier call.

    Raises:
        VideoError: the folder of segments belongs to another job, or what rendering raises.
    """
    length = segment_length(job.source)
    segments = segments_of(frames, length)
    folder = pieces_folder(path)
    identity = job.identity(source_path.name, fingerprint(source_path), length)
    manifest = _Manifest.opened(folder, identity, path)
    kept = manifest.verified(segments)
    missing = [segment for segment in segments if segment.index not in kept]
    taken = frames - sum(segment.stop - segment.start for segment in missing)
    if taken:
        _log.info("%s: %d of %d frames are there from an earlier run.", path.name, taken, frames)

    def finished(segment: Segment, piece: Path, times: tuple[int, ...]) -> None:
        manifest.add(segment, piece, times)

    def tell(done: int, total: int) -> None:
        progress(taken + done, frames)

    if missing:
        surveyed = _surveyed(job, tell)
        suffix = path.suffix.lower()
        (renderer or _one_by_one(folder, suffix))(surveyed, missing, finished, tell)
    pieces, times = manifest.whole(segments)
    join(pieces, times, job.source.info.time_base, path, audio)
    shutil.rmtree(folder)
    return taken


def _surveyed(job: Job, progress: Progress) -> Job:
    if not job.operation.needs_survey:
        return job
    return replace(job, operation=job.operation.survey(NumberedFrames(job.source, job.size), progress))


def _one_by_one(folder: Path, suffix: str) -> Renderer:
    def render_all(job: Job, missing: Sequence[Segment], finished: Finished, progress: Progress) -> None:
        done = 0
        for segment in missing:
            piece = piece_path(folder, segment, suffix)
            times = render_segment(job.source, job.operation, segment, piece, job.encoding, job.size, _after(progress, done))
            finished(segment, piece, times)
            done += segment.stop - segment.start

    return render_all


def _after(progress: Progress, before: int) -> Progress:
    def tell(done: int, total: int) -> None:
        progress(before + done, total)

    return tell


class _Manifest:
    """The finished segments of a job: file, hash and times of each, on disk after every one."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], entries: dict[int, dict[str, Any]]) -> None:
        self._folder, self._identity, self._entries = folder, identity, entries

    @classmethod
    def opened(cls, folder: Path, identity: Mapping[str, Any], path: Path) -> _Manifest:
        """Read the manifest of a folder, or begin one."""
        folder.mkdir(exist_ok=True)
        file = folder / MANIFEST
        if not file.is_file():
            return cls(folder, identity, {})
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            before, entries = stored["job"], {int(index): entry for index, entry in stored["segments"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VideoError(f"{file} cannot be read ({error}). Remove the folder {folder.name} to begin anew.") from error
        plain = json.loads(json.dumps(identity))
        if before != plain:
            changed = ", ".join(key for key in plain if before.get(key) != plain[key])
            raise VideoError(f"{path.name}: an unfinished run with another {changed} is in {folder}. Repeat that run's settings, or remove "
                             "the folder to begin anew.")
        return cls(folder, identity, entries)

    def verified(self, segments: Sequence[Segment]) -> set[int]:
        """Give the indices of the segments whose files are whole; the others are forgotten."""
        lengths = {segment.index: segment.stop - segment.start for segment in segments}
        for index, entry in list(self._entries.items()):
            file = self._folder / str(entry["file"])
            whole = index in lengths and len(entry["times"]) == lengths[index] and file.is_file() and _hash(file) == entry["sha256"]
            if not whole:
                _log.warning("%s is damaged or missing; it is rendered again.", file.name)
                del self._entries[index]
        return set(self._entries)

    def add(self, segment: Segment, piece: Path, times: tuple[int, ...]) -> None:
        """Write down a finished segment."""
        self._entries[segment.index] = {"file": piece.name, "sha256": _hash(piece), "times": list(times)}
        text = json.dumps({"job": self._identity, "segments": self._entries})
        draft = self._folder / f"{MANIFEST}.new"
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, self._folder / MANIFEST)

    def whole(self, segments: Sequence[Segment]) -> tuple[list[Path], list[int]]:
        """Give the files and the times of all segments in order.

        Raises:
            VideoError: one is missing.
        """
        absent = [segment.index for segment in segments if segment.index not in self._entries]
        if absent:
            raise VideoError(f"Segments {', '.join(map(str, absent[:8]))} were not rendered; run it again to go on.")
        pieces = [self._folder / str(self._entries[segment.index]["file"]) for segment in segments]
        return pieces, [int(time) for segment in segments for time in self._entries[segment.index]["times"]]


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.sha256()
        while block := content.read(_EDGE):
            digest.update(block)
    return digest.hexdigest()
