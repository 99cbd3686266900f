"""``talkies convert WORKFLOW.json -o API.json``: a workflow as the editor saves it, in the format that a server's /prompt takes."""
from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..core.video.stills import require_folder
from ..nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from .builtin import Folders, builtin_nodes
from .object_info import object_info
from .run import prepare


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("convert", help="write a workflow in API format, for a server's /prompt")
    parser.add_argument("workflow", type=Path, metavar="WORKFLOW", help="a .json file of either format, or a .png that ComfyUI saved")
    parser.add_argument("-o", "--out", type=Path, metavar="API.json", help="default: standard output")
    parser.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE", dest="overrides",
                        help="set an input, as in `run`")
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    with tempfile.TemporaryDirectory(prefix="talkies-") as empty:
        folders = Folders(Path(empty), Path(empty), Path(empty))
        definitions = object_info({**builtin_nodes(folders), **NODE_CLASS_MAPPINGS}, NODE_DISPLAY_NAME_MAPPINGS)
    prompt, _ = prepare(options.workflow, definitions, options.overrides)
    text = json.dumps(prompt, indent=1, ensure_ascii=False) + "\n"
    if options.out is None:
        sys.stdout.write(text)
        return 0
    require_folder(options.out)
    options.out.write_text(text, encoding="utf-8")
    print(f"{options.out}: {len(prompt)} nodes")
    return 0
