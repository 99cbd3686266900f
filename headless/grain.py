"""``talkies grain measure|remove|add|match``: the grain of a clip, out, in, or from one clip to another."""
from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core.arrays import to_uint8
from ..core.masked import Mask, Masked
from ..core.operation import Operation
from ..core.restore.grain.add import AddGrain
from ..core.restore.grain.files import read_grain, write_grain
from ..core.restore.grain.measure import measure_grain
from ..core.restore.grain.plot import plot_grain
from ..core.restore.grain.profile import GrainProfile
from ..core.restore.grain.remove import RemoveGrain
from ..core.restore.grain.report import grain_report
from ..core.video.audio_copy import CopyAudio
from ..core.video.encoding import CONTAINERS, Encoding
from ..core.video.memory import chunk_frames
from ..core.video.render import render, rendered_info
from ..core.video.sink import create_sink
from ..core.video.source import FileSource, open_source
from ..core.video.stills import require_folder
from ..host.progress import node_progress
from ..nodes.form import runs_of
from .setting_options import add_settings, settings_from

_GRAIN_HELP = "grain that `talkies grain measure` wrote, or an AV1 film grain table"


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    top = commands.add_parser("grain", help="measure film grain, remove it, add it, or match one clip to another")
    verbs = top.add_subparsers(required=True, metavar="measure|remove|add|match", dest="verb")
    measure = verbs.add_parser("measure", help="say what grain a clip has")
    _input(measure)
    measure.add_argument("--out", type=Path, metavar="FILE", help="write the grain: .json, or any other name for an AV1 film grain table")
    remove = verbs.add_parser("remove", help="take the measured grain out")
    _input(remove)
    _output(remove)
    remove.add_argument("--grain", type=Path, metavar="FILE", help=_GRAIN_HELP + "; default: measured on IN")
    add_settings(remove, RemoveGrain)
    remove.add_argument("--no-adaptive", dest="adaptive", action="store_false", help="remove whatever was measured, faint as it may be")
    remove.set_defaults(adaptive=True)
    add = verbs.add_parser("add", help="add the grain of a preset or a file")
    match = verbs.add_parser("match", help="give a clip the grain of another")
    for parser in (add, match):
        _input(parser)
        _output(parser)
        parser.add_argument("--grain", type=Path, metavar="FILE", help=_GRAIN_HELP)
        add_settings(parser, AddGrain)
    match.add_argument("--reference", type=Path, metavar="CLIP", help="the clip whose grain is wanted")
    for parser in (remove, add, match):
        parser.add_argument("--mask", type=Path, metavar="FILE", help="where to work: an image or clip, white changes, black keeps every "
                            "pixel; match without --reference and --grain measures outside it")
    for parser in (measure, remove, add, match):
        parser.add_argument("--plot", type=Path, metavar="FILE.png", help="strength over luma, spectrum, and a patch of the grain")
        parser.add_argument("--report", type=Path, metavar="FILE.json", help="all figures")
        parser.set_defaults(call=main)


def _input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="IN", help="a video, an image, a folder of frames, or a .npy")
    parser.add_argument("--fps", type=float, help="frames a second, where IN states none; default 25")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", type=Path, metavar="OUT", help="a video, an image, a folder, or a .npy")


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    output: Path | None = getattr(options, "output", None)
    for path in (output, options.plot, options.report, getattr(options, "out", None)):
        if path is not None:
            require_folder(path)
    mask = _mask(getattr(options, "mask", None))
    grain = _grain(options, mask)
    if output is not None:
        operation = _operation(options, grain, mask)
        print(_rendered(options, operation))
    report = grain_report(f"{options.input.name}: grain", grain)
    print(report.to_text())
    if options.verb == "measure" and options.out:
        write_grain(options.out, grain)
        print(f"{options.out}: the grain")
    if options.plot:
        Image.fromarray(to_uint8(plot_grain(grain, options.input.name))).save(options.plot)
    if options.report:
        options.report.write_text(json.dumps({**report.to_json(), "grain": grain.to_json()}, indent=1), encoding="utf-8")
    return 0


def _grain(options: argparse.Namespace, mask: Mask | None) -> GrainProfile:
    """Read or measure the grain that the command works with.

    Raises:
        ValueError: match has nothing to go by.
    """
    file: Path | None = getattr(options, "grain", None)
    if file is not None:
        return read_grain(file)
    if options.verb == "add":
        return settings_from(options, AddGrain).wanted
    if options.verb == "match" and options.reference is None and mask is None:
        raise ValueError("match has nothing to go by: name --reference CLIP, --grain FILE, or a --mask outside which to measure.")
    reference = getattr(options, "reference", None)
    with open_source(reference or options.input, options.fps) as source:
        around = mask if options.verb == "match" and reference is None else None
        return measure_grain(runs_of(source), node_progress("measure"), around, total=source.info.frames or 0)


def _operation(options: argparse.Namespace, grain: GrainProfile, mask: Mask | None) -> Operation:
    operation: Operation
    if options.verb == "remove":
        settings = settings_from(options, RemoveGrain)
        operation = RemoveGrain(**{**_settings(settings), "profile": grain})
    else:
        adding = _settings(settings_from(options, AddGrain))
        if options.verb == "match":
            adding |= {"fill_up": True, "where": mask}
        operation = AddGrain(**{**adding, "profile": grain})
    return operation if mask is None else Masked(operation=operation, mask=mask)


def _settings(operation: Operation) -> dict[str, Any]:
    return {name: value for name, value in operation.to_json().items() if name != "op"}


def _mask(path: Path | None) -> Mask | None:
    """Read a mask: brightness of an image or a clip."""
    if path is None:
        return None
    with open_source(path, None) as source:
        frames = [chunk.frames[..., :3].mean(axis=-1) for chunk in source.chunks(chunk_frames(source.info))]
    return Mask(np.concatenate(frames))


def _rendered(options: argparse.Namespace, operation: Operation) -> str:
    started = time.monotonic()
    encoding = Encoding.for_file(options.output) if options.output.suffix.lower() in CONTAINERS else None
    with open_source(options.input, options.fps) as source:
        audio = CopyAudio(options.input) if isinstance(source, FileSource) and encoding else None
        with create_sink(options.output, rendered_info(source.info, operation), encoding, audio) as sink:
            frames = render(source, sink, operation, chunk_frames(source.info), node_progress(options.verb))
    return f"{options.output}: {frames} frames in {time.monotonic() - started:.1f} s"
