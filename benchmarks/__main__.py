"""The command line: ``python -m benchmarks NAME [options]``."""
from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from pathlib import Path

BENCHMARKS = {"sharpen": "Sharpen beside kornia, ComfyUI's own way, an OpenCV loop, and a plain copy"}


def size_of(text: str) -> tuple[int, int]:
    """Read ``WIDTHxHEIGHT``."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or "0" in match.groups():
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write e.g. 1920x1080")
    return int(match[1]), int(match[2])


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the pack beside its peers, in one run.")
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, summary in BENCHMARKS.items():
        options = names.add_parser(name, help=summary, description=summary)
        options.add_argument("--frames", type=int, default=64, help="frames a call; default 64")
        options.add_argument("--size", type=size_of, default=(1920, 1080), metavar="WxH", help="frame size; default 1920x1080")
        options.add_argument("--repeat", type=int, default=5, help="calls of which the median counts; default 5")
        options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
        importlib.import_module(f".{name}", __package__).add_arguments(options)
    chosen = parser.parse_args(arguments)
    figures = importlib.import_module(f".{chosen.name}", __package__).main(chosen)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
