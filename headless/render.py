"""``talkies render IN OUT --op ...``: frames from anything, through a chain of operations, into anything."""
from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from ..core.arrays import Frames
from ..core.catalogue import OPERATIONS, parse_operation
from ..core.measure.statistics import FrameStatistics, frame_statistics, joined
from ..core.operation import Chain
from ..core.progress import Progress
from ..core.settings import settings_of
from ..core.video.audio_copy import CopyAudio
from ..core.video.clip import Chunk, FrameSource, VideoError
from ..core.video.encoding import CONTAINERS, Encoding
from ..core.video.foresee import foresee
from ..core.video.memory import MIB_A_PROCESSOR, chunk_frames
from ..core.video.render import render, rendered_info
from ..core.video.resume import Job, frame_count, render_resumable
from ..core.video.sink import create_sink
from ..core.video.source import FileSource, open_source
from ..core.video.stills import require_folder
from ..host.progress import node_progress
from .cluster import add_options, connected
from .cluster_render import ray_renderer


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "render", help="run operations over a video, an image, a folder of frames or a .npy file",
        formatter_class=argparse.RawDescriptionHelpFormatter, epilog="operations and their settings:\n" + _operations_help())
    parser.add_argument("input", type=Path, metavar="IN",
                        help="a video, an image (16-bit PNG and TIFF too), a folder of frames, or a float32 .npy")
    parser.add_argument("output", type=Path, metavar="OUT",
                        help=f"a video ({', '.join(CONTAINERS)}), an image, a folder, or a .npy of [B,H,W,C]")
    parser.add_argument("--op", action="append", default=[], metavar="NAME[:setting=value,...]",
                        help="an operation; more of them run in order")
    parser.add_argument("--fps", type=float, help="frames a second, where the input states none (stills, arrays); default 25")
    (codec,) = (entry for entry in settings_of(Encoding) if entry.name == "codec")
    parser.add_argument("--codec", choices=codec.choices, help="default: what the suffix of OUT stands for")
    parser.add_argument("--quality", type=int, default=-1,
                        help="the encoder's constant quality, lower is better; default: visually lossless")
    parser.add_argument("--speed", choices=("fast", "medium", "slow"), default="medium", help="of the encoder")
    parser.add_argument("--memory", type=int, default=0, metavar="MIB", help="for the frames at work; default: 128 for each CPU core")
    parser.add_argument("--resume", action="store_true",
                        help="work in segments of ten seconds and keep the finished ones, so that the same command goes on after an "
                             "interruption; the file is the same bits either way. --engine ray always does")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the figures of the run and of every frame before and after")
    add_options(parser)
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    chain = Chain(tuple(parse_operation(text) for text in options.op))
    before, after = Watched(), Watched()
    started = time.monotonic()
    with open_source(options.input, options.fps) as source:
        info = rendered_info(source.info, chain)
        memory = options.memory or (MIB_A_PROCESSOR * options.worker_cpus if options.engine == "ray" else 0)
        size = chunk_frames(source.info, memory, chain.scale, chain.radius)
        encoding, progress = _encoding(options), node_progress(options.output.name)
        audio = CopyAudio(options.input) if isinstance(source, FileSource) else None
        print(foresee(source.info, chain, size, encoding), flush=True)
        if options.resume or options.engine == "ray":
            job = Job(source, chain, _resumable(options, source, encoding), size)
            frames = frame_count(source)
            taken = _by_segments(job, frames, audio, progress, options)
            print(f"{taken} of {frames} frames were there from an earlier run." if taken else "Nothing was there from an earlier run.")
        else:
            with create_sink(options.output, info, encoding, audio) as sink:
                watchers = (before, after) if options.report else (None, None)
                frames = render(source, sink, chain, size, progress, before=watchers[0], after=watchers[1])
    seconds = time.monotonic() - started
    print(f"{options.output}: {frames} frames of {info.width}x{info.height} px, {float(info.fps):g} a second, in {seconds:.1f} s")
    if options.report:
        figures = {"frames": frames, "width": info.width, "height": info.height, "fps": str(info.fps), "seconds": seconds,
                   "frames_a_chunk": size}
        report = {"input": str(options.input), "output": str(options.output), "operations": chain.to_json()["operations"], **figures,
                  "before": before.report("before"), "after": after.report("after")}
        options.report.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


class Watched:
    """The statistics of the frames that passed; the last frame is kept for the change to the next."""

    def __init__(self) -> None:
        self._parts: list[FrameStatistics] = []
        self._last: Frames | None = None

    def __call__(self, chunk: Chunk) -> None:
        self._parts.append(frame_statistics(chunk.frames, self._last))
        self._last = chunk.frames[-1:].copy()

    def report(self, title: str) -> dict[str, Any]:
        """Give the figures and series of all frames so far as plain JSON values."""
        return joined(self._parts).report(title).to_json()


def _by_segments(job: Job, frames: int, audio: CopyAudio | None, progress: Progress, options: argparse.Namespace) -> int:
    """Render segment by segment, here or on a cluster; give the frames that were there from an earlier run."""
    if options.engine == "local":
        return render_resumable(job, options.input, options.output, frames, audio, progress)
    with connected(options.address) as ray:
        renderer = ray_renderer(ray, options, options.input, options.output)
        return render_resumable(job, options.input, options.output, frames, audio, progress, renderer)


def _resumable(options: argparse.Namespace, source: FrameSource, encoding: Encoding | None) -> Encoding:
    """Refuse what cannot be done by segments.

    Raises:
        VideoError: input or output is no video file, or the figures of every frame are asked for as well.
    """
    by = "--engine ray" if options.engine == "ray" else "--resume"
    if encoding is None or not isinstance(source, FileSource):
        raise VideoError(f"{by} renders a video file into a video file; here {options.input.name} goes into {options.output.name}.")
    if options.report:
        raise VideoError(f"--report looks at every frame in one go, {by} does not; leave one of them out.")
    encoding.check_file(options.output)
    require_folder(options.output)
    return encoding


def _encoding(options: argparse.Namespace) -> Encoding | None:
    if options.output.suffix.lower() not in CONTAINERS:
        return None
    codec = options.codec or Encoding.for_file(options.output).codec
    return Encoding(codec, options.quality, options.speed)


def _operations_help() -> str:
    lines = []
    for name, operation in OPERATIONS.items():
        lines.append(f"  {name}")
        lines += [f"    {s.name:<18} {s.allowed()}; default {s.default}" for s in settings_of(operation)]
    return "\n".join(lines)
