"""``talkies demo``: a clip whose truth is known, an example workflow run on it, its face held still, and where everything is."""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core.arrays import Frame, to_uint8
from ..core.measure.image import psnr, ssim
from ..core.video.audio_copy import EncodeAudio
from ..core.video.encoding import Encoding
from ..core.video.sink import create_sink
from ..core.video.source import open_source
from .builtin.folders import Folders
from .demo_clip import DemoClip, demo_clip
from .demo_face import steady_face
from .demo_scratched import write_scratched
from .run import run_workflow

CLIP = "talkies_demo.mp4"
"""The clip's name, as the example workflows load it."""

WORKFLOW = "sharpen_a_video.json"

EVERY = 10
"""Every how many frames are compared with the truth."""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("demo", help="make a talking clip, run an example workflow on it, steady its face, measure the results")
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="where everything goes; default: demo")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the clip")
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    root = Path(__file__).resolve().parents[1]
    folders = Folders(*(options.folder / name for name in ("input", "output", "temp")))
    clip = demo_clip(options.seconds)
    print(f"1. making a talking clip of {len(clip.path)} frames ...", flush=True)
    source = write_clip(clip, folders.input)
    write_scratched(clip.clean(0), folders.input)
    print(f"2. running example_workflows/{WORKFLOW} on it ...", flush=True)
    (made,) = run_workflow(root / "example_workflows" / WORKFLOW, folders)
    print("3. comparing with the truth ...", flush=True)
    figures, picture = compare(clip, source, made)
    Image.fromarray(to_uint8(picture)).save(options.folder / "before_after.png")
    print("4. finding the face, holding it still, pasting it back ...", flush=True)
    face = steady_face(clip, source, folders.output)
    Image.fromarray(to_uint8(face.path)).save(options.folder / "path.png")
    figures |= face.figures
    (options.folder / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"\nthe clip      {source}\nthe result    {made}\nbefore/after  {options.folder / 'before_after.png'}\n"
          f"steady crops  {face.crops}\npasted back   {face.pasted}\npath          {options.folder / 'path.png'}\n"
          f"figures       {options.folder / 'figures.json'}\n")
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"  {name:<{width}} {value:.4g}" if isinstance(value, float) else f"  {name:<{width}} {value}")
    return 0


def write_clip(clip: DemoClip, folder: Path) -> Path:
    """Write the clip with its sound and, beside it, its truth as JSON; give the clip's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CLIP
    with create_sink(path, clip.info, Encoding("h264", 12), EncodeAudio(clip.sound, clip.rate)) as sink:
        for chunk in clip.chunks(10):
            sink.write(chunk)
    truth = {"fps": str(clip.fps), "seed": clip.seed, "blur (px)": clip.blur, "noise": clip.noise,
             "path (px, px, radians)": clip.path.tolist(), "opening": clip.opening.tolist()}
    path.with_suffix(".truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return path


def compare(clip: DemoClip, before: Path, after: Path) -> tuple[dict[str, float | int | str], Frame]:
    """Compare the clip before and after with its clean frames.

    Returns:
        The figures, and a picture of the first frame compared: before on the left, after on the right.
    """
    rows: list[tuple[float, ...]] = []
    counts = [0, 0]
    picture: Frame | None = None
    with open_source(before) as noisy, open_source(after) as made:
        for a, b in zip(noisy.chunks(1), made.chunks(1), strict=True):
            counts = [counts[0] + len(a.frames), counts[1] + len(b.frames)]
            if a.start % EVERY:
                continue
            clean = clip.clean(a.start)
            rows.append((psnr(a.frames[0], clean), psnr(b.frames[0], clean), ssim(a.frames[0], clean), ssim(b.frames[0], clean),
                         _gradient(a.frames[0]), _gradient(b.frames[0])))
            picture = np.concatenate((a.frames[0], b.frames[0]), 1) if picture is None else picture
    means = [float(m) for m in np.mean(rows, 0)]
    names = ("PSNR before (dB)", "PSNR after (dB)", "SSIM before", "SSIM after", "edge strength before", "edge strength after")
    assert picture is not None, "a clip has at least one frame"
    return {"frames in": counts[0], "frames out": counts[1], **dict(zip(names, means, strict=True))}, picture


def _gradient(frame: Frame) -> float:
    """Give the 99th percentile of the luma's horizontal gradient: how steep the steepest edges are."""
    luma = frame @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return float(np.quantile(np.abs(np.diff(luma, axis=1)), 0.99))
