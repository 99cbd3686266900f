"""``talkies render --engine ray``: the segments of one clip on many machines, joined in order."""
from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.catalogue import operation_from_json
from ..core.progress import Progress
from ..core.video.clip import VideoError
from ..core.video.encoding import Encoding
from ..core.video.foresee import foresee
from ..core.video.resume import Finished, Job, Renderer, fingerprint, piece_path, pieces_folder
from ..core.video.segments import Segment, render_segment
from ..core.video.source import FileSource
from .cluster import room, share_of, uses_gpu
from .cluster_pool import Outcome, Pool, Task
from .cluster_worker import Made, begin

_ENCODING = ("codec", "quality", "speed", "pixel_format")


def ray_renderer(ray: Any, options: argparse.Namespace, source: Path, output: Path) -> Renderer:
    """Give the renderer that `render_resumable` hands its segments to.

    Args:
        ray: connected.
        options: see `cluster.add_options`.
        source: the clip; a node that does not see it at this path gets it sent.
        output: the video that is made.
    """
    folder, suffix = pieces_folder(output), output.suffix.lower()

    def render_all(job: Job, missing: Sequence[Segment], finished: Finished, progress: Progress) -> None:
        plain = job.operation.to_json()
        share = share_of(options, ray, foresee(job.source.info, job.operation, job.size, job.encoding).memory, uses_gpu(plain))
        specification = {"operation": plain, "encoding": {name: getattr(job.encoding, name) for name in _ENCODING}, "size": job.size,
                         "suffix": suffix}
        inputs = ((str(source.resolve()), fingerprint(source)),)
        tasks = [Task(segment, {"segment": (segment.index, segment.start, segment.stop)}, inputs) for segment in missing]
        total, done = sum(segment.stop - segment.start for segment in missing), 0

        def ended(outcome: Outcome) -> None:
            nonlocal done
            segment: Segment = outcome.task.key
            if outcome.failure:
                raise VideoError(f"Frames {segment.start} to {segment.stop - 1}, on {outcome.where}: {outcome.failure}")
            piece = piece_path(folder, segment, suffix)
            os.replace(outcome.files[0], piece)
            finished(segment, piece, tuple(outcome.values))
            done += segment.stop - segment.start
            progress(done, total)

        with tempfile.TemporaryDirectory(prefix="arriving-", dir=folder) as arriving:
            count = min(len(tasks), options.workers or room(ray, share))
            Pool(ray, share, count, begin("cluster_render", "Pieces"), specification, Path(arriving), ended,
                 lambda: progress(done, total)).run(tasks)

    return render_all


class Pieces:
    """Renders segments on a worker; the clip stays open, and the operation with its models is kept."""

    def __init__(self, specification: dict[str, Any]) -> None:
        """Take what `ray_renderer` specified."""
        self._operation = operation_from_json(specification["operation"])
        self._encoding = Encoding(**specification["encoding"])
        self._size, self._suffix = int(specification["size"]), str(specification["suffix"])
        self._folder = tempfile.TemporaryDirectory(prefix="talkies-pieces-")
        self._source: FileSource | None = None
        self._path: Path | None = None

    def __call__(self, job: dict[str, Any]) -> Made:
        """Render the segment that a job names."""
        (path,) = job["inputs"]
        if self._source is None or path != self._path:
            if self._source is not None:
                self._source.close()
            self._source, self._path = FileSource(path), path
        segment = Segment(*job["segment"])
        piece = piece_path(Path(self._folder.name), segment, self._suffix)
        times = render_segment(self._source, self._operation, segment, piece, self._encoding, self._size)
        return Made((piece,), times)
