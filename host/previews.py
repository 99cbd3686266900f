"""Pictures and sounds for a node's panel: written to the host's temporary folder, named as its /view route wants them."""
from __future__ import annotations

import uuid
from collections.abc import Iterable

import soundfile

from ..core.arrays import Waveform
from .folders import temporary_folder

_FOLDER = "talkies"


def save_previews(jpegs: Iterable[bytes], name: str) -> list[dict[str, str]]:
    """Write encoded JPEG pictures and give ``{filename, subfolder, type}`` of each, for the page to fetch."""
    folder = temporary_folder() / _FOLDER
    folder.mkdir(exist_ok=True)
    saved = []
    for jpeg in jpegs:
        path = folder / f"{name}_{uuid.uuid4().hex[:12]}.jpg"
        path.write_bytes(jpeg)
        saved.append({"filename": path.name, "subfolder": _FOLDER, "type": "temp"})
    return saved


def save_sound(sound: Waveform, rate: int, name: str) -> dict[str, str]:
    """Write a sound ``[C,T]``, -1..1, as a 16 bit WAV file and give ``{filename, subfolder, type}`` of it."""
    folder = temporary_folder() / _FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}_{uuid.uuid4().hex[:12]}.wav"
    soundfile.write(path, sound.T, rate, subtype="PCM_16")
    return {"filename": path.name, "subfolder": _FOLDER, "type": "temp"}
