"""How steady the aligned face is, how true its path, how fast: every smoothing side by side.

    python -m benchmarks.align [CLIP...] [--detector mesh] [--weights FOLDER] [--frames N] [--rendered N] [--speed]

On real clips: shake (px), warp MAE (levels), residual above 3 Hz against another detector (px); see core/measure/motion.py. On a rendered
clip, whose path is known: the error, and its part above 3 Hz. And the time of aligning and pasting beside the published way.
"""
from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from talkies.core.arrays import Frame, from_uint8
from talkies.core.face import similarity
from talkies.core.face.align import AlignFace, align
from talkies.core.face.detect.auto import open_detector
from talkies.core.face.detect.clip import detect_clip
from talkies.core.face.paste import PasteSettings, crop_matrix, paste
from talkies.core.face.smooth.select import Method, Smoothing, smooth
from talkies.core.face.track import FaceTrack, track_from_detections
from talkies.core.measure.motion import residual_above, steadiness
from talkies.core.operation import Numbered

from .align_published import restore_published, warp_published
from .align_rendered import errors, rendered

METHODS: tuple[Method, ...] = ("none", "whittaker", "one_euro", "enhanced", "ultra", "fused")
ROOT = Path(__file__).resolve().parents[1]


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_argument("clips", nargs="*", type=Path, help="video files; default: the talking heads in ../shared/media")
    options.add_argument("--detector", default="mesh", help="the detector under test; default mesh")
    options.add_argument("--weights", type=Path, default=ROOT.parent / "shared" / "weights", help="folder of detector files")
    options.add_argument("--first", type=int, default=10**6, help="use so many frames of each clip")
    options.add_argument("--rendered", type=int, default=125, help="frames of the rendered clip; 0 leaves it out")
    options.add_argument("--speed", type=int, default=12, help="frames timed; 0 leaves it out")


def main(arguments: list[str] | argparse.Namespace) -> dict[str, dict[str, float]]:
    """Measure and print; give the figures."""
    if isinstance(arguments, list):
        parser = argparse.ArgumentParser(prog="python -m benchmarks.align", description=__doc__)
        add_arguments(parser)
        arguments = parser.parse_args(arguments)
    chosen = arguments
    clips = chosen.clips or sorted((ROOT.parent / "shared" / "media").glob("talk*.mp4"))
    if not clips:
        print("No clips: name video files with a face.", file=sys.stderr)
        return {}
    figures: dict[str, dict[str, float]] = {}
    for path in clips:
        figures.update(_real(path, chosen))
    if chosen.rendered:
        figures.update(_known_path(clips[0], chosen))
    if chosen.speed:
        figures.update(_speed(clips[0], chosen))
    return figures


def read(path: Path, limit: int) -> Iterator[Numbered]:
    """Read a video one frame at a time."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index >= limit:
                return
            yield index, from_uint8(frame.to_ndarray(format="rgb24"))[None]


def rate_of(path: Path) -> Fraction:
    """Give a video's frames a second."""
    with av.open(str(path)) as container:
        return Fraction(container.streams.video[0].average_rate or 25)


def tracked(clip: Iterator[Numbered], fps: Fraction, detector: str, weights: Path) -> FaceTrack:
    """Detect the face in a clip."""
    return track_from_detections(detect_clip(clip, open_detector(detector, [weights]).detector), fps)


def _real(path: Path, chosen: argparse.Namespace) -> dict[str, dict[str, float]]:
    fps, limit = rate_of(path), chosen.first
    track = tracked(read(path, limit), fps, chosen.detector, chosen.weights)
    witness = tracked(read(path, limit), fps, "yunet" if chosen.detector == "mesh" else "mesh", chosen.weights)
    began, cpu = time.perf_counter(), time.process_time()
    moved = smooth(track, Smoothing(), read(path, limit)).track
    wall, cpu = (time.perf_counter() - began) / len(track), (time.process_time() - cpu) / len(track)
    measured = dataclasses.replace(track, motion=moved.motion, cuts=moved.cuts)
    print(f"\n{path.name}: {len(track)} frames, {track.detector} ({int(track.filled.sum())} filled), cuts {moved.cuts}; fused with "
          f"reading {1e3 * wall:.1f} ms a frame ({1e3 * cpu:.1f} of processor time)")
    print(f"{'method':13} {'shake px':>9} {'MAE':>7} {'>3 Hz px':>9} {'solve ms':>9}")
    figures = {}
    for method in (None, *METHODS):
        began = time.perf_counter()
        steady = align(measured, fit="latentsync") if method is None else smooth(measured, Smoothing(method=method)).track
        seconds = time.perf_counter() - began
        cut = AlignFace(track=steady)
        found = steadiness((crop for start, frames in read(path, limit) for crop in cut(frames, start)), steady.local_cuts)
        assert steady.matrices is not None
        points = witness.points[:, ::37] if witness.scheme == "mesh468" else witness.points[:, :3]
        residual = residual_above(points, steady.matrices, fps)
        name = method or "published raw"
        print(f"{name:13} {found.shake:8.3f} {found.warp_mae:7.3f} {residual:9.3f} {1e3 * seconds:9.1f}", flush=True)
        figures[f"{path.stem} {track.detector} {name}"] = {"shake": found.shake, "mae": found.warp_mae, "residual": residual}
    return figures


def _known_path(path: Path, chosen: argparse.Namespace) -> dict[str, dict[str, float]]:
    fps, count = rate_of(path), chosen.rendered
    real = smooth(tracked(read(path, count), fps, chosen.detector, chosen.weights), Smoothing(), read(path, count)).track
    face = next(read(path, 1))[1][0]
    scene = rendered(face, real)
    track = tracked(scene.clip(), fps, chosen.detector, chosen.weights)
    moved = smooth(track, Smoothing(), scene.clip()).track
    measured = track.with_motion(moved.motion) if moved.motion else track
    still = similarity.apply(similarity.invert(scene.path), track.anchors).mean(0)
    print(f"\nrendered, path of {path.name}: error px in the crop, all / above 3 Hz")
    figures = {}
    for method in METHODS:
        total, fast = errors(smooth(measured, Smoothing(method=method)).track, scene.path, still)
        print(f"{method:12} {total:8.3f} {fast:8.3f}")
        figures[f"rendered {track.detector} {method}"] = {"total": total, "fast": fast}
    return figures


def _speed(path: Path, chosen: argparse.Namespace) -> dict[str, dict[str, float]]:
    count = chosen.speed
    frames = np.concatenate([f for _, f in read(path, count)])
    track = align(tracked(iter([(0, frames)]), rate_of(path), chosen.detector, chosen.weights))
    crops = AlignFace(track=track)(frames)

    def ours() -> None:
        again = AlignFace(track=track)(frames)
        for i, frame in enumerate(frames.copy()):
            paste(frame, again[i], crop_matrix(track, i, again[i]), PasteSettings())

    def published() -> None:
        for i in range(min(2, count)):
            assert track.matrices is not None and track.crop is not None
            warp_published(frames[i], track.matrices[i], track.crop)
            restore_published(frames[i], crops[i], track.matrices[i], track.crop)

    print("\nalign and paste back at 256, no detector: ms a frame, wall / processor")
    figures = {}
    ways: tuple[tuple[str, Callable[[], None], int], ...] = (("here", ours, count), ("published way", published, min(2, count)))
    for name, call, frames_made in ways:
        call()
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        wall, cpu = (1e3 * (t - s) / frames_made for t, s in ((time.perf_counter(), wall), (time.process_time(), cpu)))
        print(f"{name:14} {wall:8.1f} {cpu:8.1f}")
        figures[f"speed {name}"] = {"wall_ms": wall, "cpu_ms": cpu}
    psnr = _round_trip(frames[0], track)
    print(f"round trip, inside: {psnr:.1f} dB")
    return figures


def _round_trip(frame: Frame, track: FaceTrack) -> float:
    crop = AlignFace(track=track)(frame[None], track.start)[0]
    back = frame.copy()
    paste(back, crop, crop_matrix(track, track.start, crop), PasteSettings())
    inside = (back != frame).any(-1)
    error = np.square(255 * (back - frame)[inside].astype(np.float64)).mean() if inside.any() else 0.0
    return float(10 * np.log10(255**2 / max(error, 1e-12)))


if __name__ == "__main__":
    main(sys.argv[1:])
