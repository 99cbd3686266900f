"""The folders that nodes load from and save to, and the file names that they take and make."""
from __future__ import annotations

import json
import mimetypes
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

Shown = dict[str, str]
"""A saved file as the page is told of it: ``{"filename", "subfolder", "type"}``."""

Result = dict[str, dict[str, Any]]
"""What a saver returns: ``{"ui": {...}}``."""

_ANNOTATED = re.compile(r"^(.*?) ?\[(input|output|temp)\]$", re.DOTALL)


@dataclass(frozen=True)
class Folders:
    """Where nodes read and write.

    Attributes:
        input: loaders look here.
        output: savers write here.
        temp: previews write here.
        allow_paths: loaders take absolute paths, and paths relative to the working folder that lead out of `input`.
    """

    input: Path
    output: Path
    temp: Path
    allow_paths: bool = False

    def resolve(self, name: str) -> Path:
        """Give the path of an input file; a name may end in `` [output]`` or `` [temp]`` for those folders.

        Raises:
            ValueError: the name leads out of its folder.
        """
        match = _ANNOTATED.match(name)
        bare, kind = (match[1], match[2]) if match else (name, "input")
        folder = self.of_type(kind).resolve()
        path = (folder / bare).resolve()
        if path.is_relative_to(folder):
            return path
        if self.allow_paths:
            return Path(bare).resolve()
        raise ValueError(f'"{name}" leads out of the {kind} folder {folder}; put the file there, or allow paths.')

    def missing(self, name: object) -> str | None:
        """Say what is wrong with the name of an input file; None when the file is there."""
        try:
            path = self.resolve(str(name))
        except ValueError as error:
            return str(error)
        return None if path.is_file() else f'there is no file "{name}" ({path})'

    def of_type(self, kind: str) -> Path:
        """Give the folder called ``input``, ``output`` or ``temp``."""
        return {"input": self.input, "output": self.output, "temp": self.temp}[kind]

    def path_of(self, shown: Mapping[str, str]) -> Path:
        """Give the path of a file that a saver has shown."""
        return self.of_type(shown["type"]) / shown["subfolder"] / shown["filename"]

    def names(self, *media: str) -> list[str]:
        """List the files of the input folder that are of the given media (``image``, ``video``, ``audio``), sorted."""
        if not self.input.is_dir():
            return []
        return sorted(path.name for path in self.input.iterdir() if path.is_file() and _medium(path.name) in media)

    def place(self, prefix: str, kind: str, width: int = 0, height: int = 0) -> tuple[Path, str, int, str]:
        """Find the place for files to save as ``{name}_{counter:05}_.suffix``, with the counter behind the highest there is.

        Args:
            prefix: their name, with a sub-folder if wished; ``%width%``, ``%height%``, ``%year%`` to ``%second%`` are filled in.
            kind: ``output`` or ``temp``.
            width: of the frames, px.
            height: of the frames, px.

        Returns:
            The folder (made if it is not there), the name, the counter, and the sub-folder.

        Raises:
            ValueError: the prefix leads out of the folder.
        """
        root = self.of_type(kind).resolve()
        relative = Path(os.path.normpath(_filled(prefix, width, height)))
        folder = (root / relative.parent).resolve()
        if not folder.is_relative_to(root):
            raise ValueError(f'filename_prefix "{prefix}" leads out of the {kind} folder {root}.')
        folder.mkdir(parents=True, exist_ok=True)
        start = os.path.normcase(relative.name + "_")
        counters = (_counter(path.name, start) for path in folder.iterdir())
        subfolder = "" if relative.parent == Path(".") else str(relative.parent)
        return folder, relative.name, max(counters, default=0) + 1, subfolder


class FolderNode:
    """A node that knows its folders."""

    folders: ClassVar[Folders]


def metadata(prompt: Any, extra_pnginfo: Mapping[str, Any] | None) -> dict[str, str]:
    """Give what a saved file carries so that its workflow can be loaded again: JSON by key."""
    found = {} if prompt is None else {"prompt": json.dumps(prompt)}
    return found | {key: json.dumps(value) for key, value in (extra_pnginfo or {}).items()}


def _medium(name: str) -> str:
    if name.lower().endswith(".webp"):
        return "image"
    return (mimetypes.guess_type(name, strict=False)[0] or "").partition("/")[0]


def _filled(prefix: str, width: int, height: int) -> str:
    now = time.localtime()
    numbers = {"month": now.tm_mon, "day": now.tm_mday, "hour": now.tm_hour, "minute": now.tm_min, "second": now.tm_sec}
    values = {"width": str(width), "height": str(height), "year": str(now.tm_year)}
    for name, value in (values | {name: f"{number:02}" for name, number in numbers.items()}).items():
        prefix = prefix.replace(f"%{name}%", value)
    return prefix


def _counter(name: str, start: str) -> int:
    """The number in ``{start}00012_.png``; 0 where the name is another's."""
    if not os.path.normcase(name).startswith(start):
        return 0
    digits = name[len(start) :].partition("_")[0]
    return int(digits) if digits.isdecimal() else 0
