"""Long clips: the memory that a render takes by length of the clip, and a kill in its middle.

Two clips that differ in length alone are made, for example, by
``ffmpeg -stream_loop 5 -i talk.mp4 -c copy minute.mp4`` and ``ffmpeg -stream_loop 719 -i talk.mp4 -c copy hours.mp4``.
"""
from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .timing import machine, table

_OPERATIONS = ("sharpen:mode=unsharp", "frameadjust:gamma=1.1", "temporalconsistency:mode=ema,strength=0.3")
_POLL = 0.1


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the table, and give its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks long", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="the shorter first")
    parser.add_argument("--op", action="append", metavar="NAME:KEY=VALUE", help=f"default {' and '.join(_OPERATIONS)}")
    parser.add_argument("--speed", default="medium", help="of the encoder, as in talkies render; default medium")
    parser.add_argument("--kill", type=float, nargs="?", const=0.5, metavar="SHARE",
                        help="kill the render of the last clip when this share of its segments is written (half when not said), "
                        "resume it, and compare with a render that nobody disturbed")
    options = parser.parse_args(arguments)
    operations = options.op or list(_OPERATIONS)
    render = ["--speed", options.speed, *(word for operation in operations for word in ("--op", operation))]
    print(f"{' > '.join(operations)}, {machine()}\n", flush=True)
    figures: dict[str, Any] = {"rows": []}
    with tempfile.TemporaryDirectory() as folder:
        for clip in options.clips:
            row = _rendered(clip, Path(folder) / f"{clip.stem}.mp4", render, options.kill is not None)
            figures["rows"].append(row)
            print(f"{clip.name}: {row['told'].rstrip('.')}; peak {row['peak'] / 2**20:.0f} MiB, {row['seconds']:.0f} s", flush=True)
        first = figures["rows"][0]["peak"]
        print("\n" + table(["clip", "peak, MiB", "beside the first", "seconds"], [
            [clip.name, f"{row['peak'] / 2**20:.0f}", f"{row['peak'] / first - 1:+.1%}", f"{row['seconds']:.0f}"]
            for clip, row in zip(options.clips, figures["rows"], strict=True)]) + "\n", flush=True)
        if options.kill is not None:
            most = max(round(options.kill * figures["rows"][-1]["segments"]), 1)
            figures["killed"] = _killed(options.clips[-1], Path(folder), render, most)
    return figures


def _command(clip: Path, out: Path, render: list[str], resume: bool) -> list[str]:
    call = "import sys, benchmarks; from talkies.headless.cli import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", call, "render", str(clip.resolve()), str(out), *(["--resume"] if resume else []), *render]


def _rendered(clip: Path, out: Path, render: list[str], resume: bool, kill_at: int | None = None) -> dict[str, Any]:
    """Render in a process of its own, watch its memory and its segments, and kill it when that many of them lie beside the output."""
    root = Path(__file__).resolve().parents[1]
    began, peak, segments = time.monotonic(), 0, 0
    with subprocess.Popen(_command(clip, out, render, resume), cwd=root, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(root)}) as child:
        while child.poll() is None:
            peak, segments = max(peak, _peak(child.pid)), max(segments, _segments(out))
            if kill_at is not None and segments >= kill_at:
                child.kill()
            time.sleep(_POLL)
        told = child.stdout.read().strip().splitlines() if child.stdout else []
    if child.returncode and kill_at is None:
        raise RuntimeError(f"{clip}: the render failed")
    return {"peak": peak, "seconds": time.monotonic() - began, "told": told[0] if told else "", "segments": segments,
            "status": child.returncode}


def _killed(clip: Path, folder: Path, render: list[str], most: int) -> dict[str, Any]:
    whole, out = folder / f"{clip.stem}.mp4", folder / "killed.mp4"
    first = _rendered(clip, out, render, True, kill_at=most)
    if out.exists() or first["status"] != -9:
        raise RuntimeError(f"{clip}: it was not killed in its middle (exit {first['status']})")
    second = _rendered(clip, out, render, True)
    same = _hash(out) == _hash(whole)
    print(f"killed with {first['segments']} segments written, after {first['seconds']:.0f} s; resumed in {second['seconds']:.0f} s, "
          f"peak {second['peak'] / 2**20:.0f} MiB; {'the same bytes as' if same else 'NOT the bytes of'} the undisturbed render")
    return {"segments": first["segments"], "same": same, "peak": second["peak"]}


def _segments(out: Path) -> int:
    """Count the segments beside an output, by the hidden folder that ``--resume`` keeps."""
    return len(list(out.parent.glob(f".{out.name}.talkies/[0-9]*{out.suffix}")))


def _peak(process: int) -> int:
    """Give the most memory that a process has held so far, bytes; 0 once it has ended, and where Linux's /proc is not."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) * 1024 if line else 0


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
        return digest.hexdigest()
