"""``talkies compare A B -o report.html``: two clips measured, and a page that shows them behind one slider."""
from __future__ import annotations

import argparse
import base64
import html
import json
import re
from pathlib import Path
from typing import Any

from ..core.measure.comparison import compare, heat_map
from ..core.report import Report
from ..core.video.moments import Moments
from ..core.video.source import open_source
from ..core.video.stills import require_folder
from ..host.progress import node_progress
from ..nodes.form import runs_of

_PARTS = Path(__file__).resolve().parents[1] / "web" / "js" / "parts"


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("compare", help="two clips side by side: PSNR, SSIM, flicker, jitter, and a page with a slider")
    parser.add_argument("before", type=Path, metavar="A", help="a video, an image, a folder of frames, or a .npy")
    parser.add_argument("after", type=Path, metavar="B", help="the other one; where sizes differ, A is resized to B")
    parser.add_argument("-o", "--out", type=Path, metavar="REPORT.html", help="a page that needs nothing beside it (or .json: the figures)")
    parser.add_argument("--moments", type=int, default=24, help="frames kept for the page, evenly spread; default: 24")
    parser.add_argument("--side", type=int, default=960, help="the longer side of its pictures, px; default: 960")
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        ValueError: the report would be neither a page nor JSON.
    """
    if options.out and options.out.suffix.lower() not in (".html", ".json"):
        raise ValueError(f"{options.out.name}: a report ends in .html (a page) or .json (the figures).")
    if options.out:
        require_folder(options.out)
    kept = Moments(max(options.moments, 2), options.side)
    with open_source(options.before) as first, open_source(options.after) as second:
        total = min(first.info.frames or 0, second.info.frames or 0)
        found = compare(runs_of(first), runs_of(second), node_progress("compare"), total,
                        lambda index, a, b: kept.see(index, a, b, heat_map(abs(a - b).mean(-1), 0.25)) if kept.wants(index) else None)
    report = found.report()
    print(report.to_text())
    if options.out:
        text = json.dumps(report.to_json(), indent=1) if options.out.suffix.lower() == ".json" else page(
            f"{options.before.name} and {options.after.name}", report, kept)
        options.out.write_text(text, encoding="utf-8")
        print(f"\n{options.out}: {len(text) / 1e6:.1f} MB")
    return 0


def page(title: str, report: Report, moments: Moments) -> str:
    """Write a page that shows the comparison and needs no other file and no network."""
    sides = "before", "after", "difference"
    pictures = [{"frame": index, **{side: _address("image/jpeg", jpeg) for side, jpeg in zip(sides, jpegs, strict=True)}}
                for index, jpegs in moments.kept.items()]
    view = _script("compare_view.js")
    shown = json.dumps({"moments": pictures, "report": report.to_json()}).replace("</", "<\\/")
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(f'{v:.4g}' if isinstance(v, float) else str(v))}</td></tr>"
                   for name, v in report.figures.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>
:root {{ color-scheme: light dark; --input-text: light-dark(#1d2330, #e8eaf0); --comfy-input-bg: light-dark(#eef0f4, #1a1d24);
  --border-color: light-dark(#c4c9d4, #454b58); }}
body {{ font: 15px/1.5 sans-serif; margin: 0 auto; max-width: 1100px; padding: 16px; color: var(--input-text);
  background: light-dark(#fff, #111318); }}
#view {{ height: 1000px; }} td {{ padding-right: 2em; }} td:last-child {{ font-variant-numeric: tabular-nums; }}
</style></head>
<body><h1>{html.escape(title)}</h1><div id="view"></div><table>{rows}</table>
<script type="application/json" id="comparison">{shown}</script>
<script type="module">
{view}
const shown = JSON.parse(document.getElementById("comparison").textContent);
document.getElementById("view").append(compareView(document, shown.moments, shown.report));
</script></body></html>
"""


def _script(name: str) -> str:
    """Give a module of the panels with all that it imports inside it."""
    text = (_PARTS / name).read_text(encoding="utf-8")
    return re.sub(r'(?<=from )"\./(\w+\.js)"', lambda found: json.dumps(_address("text/javascript", _script(found[1]).encode())), text)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
