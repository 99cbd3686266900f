"""``talkies align IN --out CROPS.mkv --track TRACK.json``: find a face, hold it still, cut it out.

The clip is read once to find the face, once more to measure its motion where that is wanted, and once to cut the crops; of all frames
only the track is kept.
"""
from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from PIL import Image

from ..core.arrays import Frame, to_uint8
from ..core.face.align import AlignFace, align
from ..core.face.detect.given import from_json
from ..core.face.find import FaceSearch, Found, find_face
from ..core.face.motion import measure_motion
from ..core.face.plot import plot
from ..core.face.smooth.select import Smoothing, smooth
from ..core.face.track import FaceTrack
from ..core.operation import Chain
from ..core.video.audio_copy import CopyAudio
from ..core.video.encoding import CONTAINERS, Encoding
from ..core.video.memory import chunk_frames
from ..core.video.render import render, rendered_info
from ..core.video.sink import create_sink
from ..core.video.source import FileSource, FrameSource, open_source
from ..core.video.stills import partial_path, require_folder
from ..host.devices import compute_device
from ..host.folders import model_folders
from ..host.progress import node_progress
from ..nodes.form import runs_of
from .compare import compare, independent, paths_picture, table
from .setting_options import add_settings, settings_from


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("align", help="find a face, hold it still, and cut it out: lossless crops and their track")
    parser.add_argument("input", type=Path, metavar="IN", help="a video, an image, a folder of frames, or a .npy")
    parser.add_argument("--out", type=Path, metavar="CROPS.mkv",
                        help="the crops, one for each frame; .mkv is lossless (FFV1), with the sound of IN; a folder or .npy works as well")
    parser.add_argument("--track", type=Path, metavar="TRACK.json", help="where the face is in every frame, for `talkies paste`")
    parser.add_argument("--compare", action="store_true",
                        help="run every smoothing on the same detection: a table and a picture of the paths")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="the path before and after (with --compare, of every method)")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="all figures and series")
    parser.add_argument("--size", type=int, default=256, help="side of the square crop, px; default: 256")
    parser.add_argument("--shape", choices=("natural", "latentsync"), default="natural",
                        help="natural: true proportions; latentsync: widened by a third, as models trained on that crop expect")
    parser.add_argument("--fit", choices=("similarity", "latentsync"), default="similarity",
                        help="similarity: least squares, full precision; latentsync: the published pipeline's numbers")
    parser.add_argument("--fill", choices=("edge", "gray", "black"), default="edge", help="what lies beyond the frame")
    parser.add_argument("--fps", type=float, help="frames a second, where IN states none; default 25")
    parser.add_argument("--detector-file", type=Path, metavar="FILE", help="weights for --detector yunet or scrfd, instead of a search")
    parser.add_argument("--points", type=Path, metavar="FILE.json",
                        help="face points of your own instead of a detector: a list with one entry a frame, null or [[x, y], ...] in px")
    add_settings(parser, FaceSearch)
    add_settings(parser, Smoothing, {"method": "--smooth"})
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    search, smoothing = settings_from(options, FaceSearch), settings_from(options, Smoothing)
    plot_file = options.plot or (_beside(options) if options.compare else None)
    _check(options, plot_file)
    figures: dict[str, Any] = {"input": str(options.input)}
    with open_source(options.input, options.fps) as source:
        found = _found(source, search, options)
        print(_sentence(options.input.name, found), flush=True)
        track = align(found.track, options.size, options.shape, options.fit)
        started = time.monotonic()
        if smoothing.method == "fused" or options.compare or plot_file:
            progress = node_progress("motion")
            track = track.with_motion(measure_motion(runs_of(source), track.anchors, track.found, progress))
        seconds = time.monotonic() - started
        if options.compare:
            other = independent(source, track, model_folders("talkies"), str(compute_device()))
            rows = compare(source, track, smoothing, seconds, other, options.fit)
            print(f"\n{table(rows, other)}\n", flush=True)
            figures["comparison"] = {row.method: row.to_json() for row in rows}
        smoothed = smooth(track, smoothing, fit=options.fit)
        if options.out:
            frames, seconds = _write_crops(source, options, smoothing, smoothed.track)
            print(f"{options.out}: {frames} crops of {options.size}x{options.size} px in {seconds:.1f} s")
    figures |= {"search": found.report.to_json(), "smoothing": smoothed.report.to_json()}
    if options.track:
        _write_text(options.track, smoothed.track.dumps())
        print(f"{options.track}: the track, {smoothed.report.figures['method']}, {len(smoothed.track)} frames")
    if plot_file:
        _write_picture(plot_file, paths_picture(rows, track) if options.compare else plot(track, smoothed.track, smoothed.report))
        print(f"{plot_file}: the path{'s of every method' if options.compare else ' before and after'}")
    if options.report:
        _write_text(options.report, json.dumps(figures, indent=1))
    if "shake reduction (%)" in smoothed.report.figures and not options.compare:
        print("\n" + smoothed.report.to_text())
    return 0


def _check(options: argparse.Namespace, plot_file: Path | None) -> None:
    """Refuse what cannot be done before minutes are spent on the rest.

    Raises:
        ValueError: nothing is asked for, or options do not go together.
        VideoError: a folder is missing, or a video of that name cannot be written.
    """
    if not (options.out or options.track or options.report or plot_file):
        raise ValueError("Nothing is asked for: name --out CROPS.mkv, --track TRACK.json, --plot, --report or --compare.")
    if options.detector_file and options.detector not in ("yunet", "scrfd"):
        raise ValueError(f"--detector-file holds the weights of yunet or scrfd, but --detector is {options.detector}; "
                         "name one of the two.")
    if options.size < 16:
        raise ValueError(f"--size is {options.size} px; a face needs at least 16.")
    for path in (options.out, options.track, options.report, plot_file):
        if path is not None:
            require_folder(path)
    _encoding(options.out)


def _found(source: FrameSource, search: FaceSearch, options: argparse.Namespace) -> Found:
    info = source.info
    given = from_json(options.points.read_text(encoding="utf-8")) if options.points else None
    return find_face(runs_of(source), (info.height, info.width), info.fps, search, model_folders("talkies"), given=given,
                     device=str(compute_device()), file=options.detector_file, progress=node_progress("face"), total=info.frames or 0)


def _sentence(name: str, found: Found) -> str:
    """Say who was found, how often, by what, and why by that."""
    figures, track = found.report.figures, found.track
    there = int(track.found.sum())
    text = (f"{name}: {track.detector} found the face in {there} of {len(track)} frames, the eyes {figures['eye distance (px)']:.0f} px "
            f"apart{f', {len(track.cuts)} scene cuts' if track.cuts else ''}.")
    return " ".join(part for part in (text, str(figures["why this detector"]), str(figures.get("notes", ""))) if part)


def _write_crops(source: FrameSource, options: argparse.Namespace, smoothing: Smoothing, track: FaceTrack) -> tuple[int, float]:
    """Cut the crops; give their number and the seconds it took."""
    started = time.monotonic()
    steps = Chain((AlignFace(options.fill, options.fit == "latentsync", track=track), smoothing.pixel_blend))
    audio = CopyAudio(options.input) if isinstance(source, FileSource) and options.out.suffix.lower() in CONTAINERS else None
    size = chunk_frames(source.info, 0, 1, steps.radius)
    with create_sink(options.out, rendered_info(source.info, steps), _encoding(options.out), audio) as sink:
        frames = render(source, sink, steps, size, node_progress("crops"))
    return frames, time.monotonic() - started


def _encoding(path: Path | None) -> Encoding | None:
    """Give how crops are encoded: without loss where the container can."""
    if path is None or path.suffix.lower() not in CONTAINERS:
        return None
    if "ffv1" in CONTAINERS[path.suffix.lower()]:
        return Encoding("ffv1")
    print(f"{path.name} loses detail by its encoding; name it .mkv for lossless crops.")
    return Encoding.for_file(path)


def _beside(options: argparse.Namespace) -> Path:
    """Name the picture of a comparison: beside the crops, the track or the report, or in the working folder."""
    place: Path = options.out or options.track or options.report or Path()
    return place.parent / f"{options.input.stem}_paths.png"


def _write_text(path: Path, text: str) -> None:
    hidden = partial_path(path)
    hidden.write_text(text, encoding="utf-8")
    os.replace(hidden, path)


def _write_picture(path: Path, picture: Frame) -> None:
    Image.fromarray(to_uint8(picture)).save(path)
