"""Draws the pictures of the README from what the demo made: ``python tests/write_readme_pictures.py [FOLDER]``, after the demo.

docs/before_after.jpg is the face of the clip's first frame, twice as large, before (left) and after (right) the demo's workflow;
docs/path.jpg the demo's plot of the face's path.
"""
from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
FACE = (146, 110, 366, 330)
"""Where the face is in the demo's first frame: left, top, right, bottom, px."""

TIMES = 2
LINE = 6


def before_after(demo: Image.Image) -> Image.Image:
    """Cut the face out of both halves of the demo's comparison and put them beside each other."""
    half = demo.width // 2
    side = (FACE[2] - FACE[0]) * TIMES
    shown = Image.new("RGB", (2 * side + LINE, (FACE[3] - FACE[1]) * TIMES), "white")
    drawing = ImageDraw.Draw(shown)
    for i, word in enumerate(("before", "after")):
        face = demo.crop((FACE[0] + i * half, FACE[1], FACE[2] + i * half, FACE[3]))
        shown.paste(face.resize((face.width * TIMES, face.height * TIMES), Image.Resampling.LANCZOS), (i * (side + LINE), 0))
        place = (i * (side + LINE) + 10, shown.height - 12)
        drawing.text(place, word, "white", ImageFont.load_default(22), anchor="ls", stroke_width=2, stroke_fill="black")
    return shown


def main(folder: Path) -> None:
    """Write both pictures."""
    with Image.open(folder / "before_after.png") as demo:
        before_after(demo.convert("RGB")).save(ROOT / "docs" / "before_after.jpg", quality=90, optimize=True)
    with Image.open(folder / "path.png") as path:
        path.convert("RGB").save(ROOT / "docs" / "path.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "demo")
