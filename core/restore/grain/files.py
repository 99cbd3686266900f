"""Grain in files: a profile as JSON, or an AV1 grain table."""
from __future__ import annotations

import os
from pathlib import Path

from ...video.stills import partial_path
from .profile import GrainError, GrainProfile
from .table import HEADER, profile_of_table, read_tables, table_of, write_tables


def parse_grain(text: str) -> GrainProfile:
    """Read a profile from JSON text, or from an AV1 grain table, whose first segment counts.

    Raises:
        GrainError: it is neither.
    """
    return profile_of_table(read_tables(text)[0]) if text.lstrip().startswith(HEADER) else GrainProfile.loads(text)


def read_grain(path: Path) -> GrainProfile:
    """Read a profile from a file.

    Raises:
        GrainError: the file holds neither JSON nor a grain table; the message names it.
        OSError: it cannot be read.
    """
    try:
        return parse_grain(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise GrainError(f"{path}: this is no text; wanted is a grain profile in JSON or an AV1 film grain table.") from error
    except GrainError as error:
        raise GrainError(f"{path}: {error}") from error


def write_grain(path: Path, grain: GrainProfile) -> None:
    """Write a profile: JSON to ``.json``, else an AV1 grain table."""
    text = grain.dumps() if path.suffix.lower() == ".json" else write_tables([table_of(grain)])
    hidden = partial_path(path)
    hidden.write_text(text, encoding="utf-8")
    os.replace(hidden, path)
