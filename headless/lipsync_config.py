"""The configuration file of ``talkies lipsync``: YAML, in sections, every key checked."""
from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..core.face.find import FaceSearch
from ..core.face.smooth.select import Smoothing
from ..core.lipsync.finish import FinishSettings
from ..core.lipsync.lip_settings import LipSettings
from ..core.lipsync.network import SIZE
from ..core.settings import SettingError, settings_of

_FILES = {"input": ("video", "audio", "track"), "model": ("checkpoint",), "output": ("out", "report")}
_SMOOTH = "smooth"
"""In the file, as on the command line, the smoothing's method is called so, and its preset is not offered."""


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration: values by the names that the command line's options have.

    Sections and their keys: ``input`` (video, audio, track, fps), ``model`` (checkpoint, image_size), ``quality`` (how lips are drawn and
    finished: preset, sharpening_strength, super_resolution, sr_model ...), ``face`` (how the face is found and steadied), ``output``
    (out, report, length). Paths are relative to the file.

    Raises:
        SettingError: no such file, no YAML, a key that there is not (with the nearest that there is), or a value of the wrong kind.
    """
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"The configuration {path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if plain is None:
        return {}
    if not isinstance(plain, Mapping):
        raise SettingError(f"{path.name} holds a {type(plain).__name__}; wanted are sections such as `quality:` with keys under them.")
    known = sections()
    read: dict[str, Any] = {}
    for section, entries in plain.items():
        if section not in known:
            raise SettingError(f"{path.name}: there is no section {section!r}{_near(section, known)}; there are {', '.join(known)}.")
        if not isinstance(entries, Mapping):
            raise SettingError(f"{path.name}: {section} is {entries!r}; keys and values are wanted under it, such as "
                               f"`{known[section][0]}: ...`.")
        for key, value in entries.items():
            if key not in known[section]:
                raise SettingError(f"{path.name}: {section} has no key {key!r}{_near(key, known[section])}; it has "
                                   f"{', '.join(known[section])}.")
            _take(read, path, section, key, value)
    return read


def sections() -> dict[str, tuple[str, ...]]:
    """List the sections and their keys."""
    quality = [entry.name for cls in (LipSettings, FinishSettings) for entry in settings_of(cls)]
    face = [*(entry.name for entry in settings_of(FaceSearch)), _SMOOTH]
    return {"input": (*_FILES["input"], "fps"), "model": (*_FILES["model"], "image_size"), "quality": tuple(quality), "face": tuple(face),
            "output": (*_FILES["output"], "length")}


def _take(read: dict[str, Any], path: Path, section: str, key: str, value: Any) -> None:
    where = f"{path.name}: {section}.{key}"
    if key == "image_size":
        if value != SIZE:
            raise SettingError(f"{where} is {value!r}; the published network paints {SIZE} px, and no weights of another size were "
                               "published. Set super_resolution for larger faces.")
        return
    if key in _FILES.get(section, ()):
        if not isinstance(value, str) or not value:
            raise SettingError(f"{where} is {value!r}; the path of a file is wanted.")
        read[key] = path.parent / value
        return
    if key == "fps":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise SettingError(f"{where} is {value!r}; a number of frames a second is wanted.")
        read[key] = float(value)
        return
    if key == "length":
        if value not in ("trim", "hold", "loop", "bounce"):
            raise SettingError(f"{where} is {value!r}; it must be one of trim, hold, loop, bounce.")
        read[key] = value
        return
    if key == "sr_model" and isinstance(value, str) and "." not in Path(value).name:
        value = f"{value}.pth"  # the design's examples name models without their ending
    for cls in (LipSettings, FinishSettings) if section == "quality" else (FaceSearch, Smoothing):
        for entry in settings_of(cls):
            if entry.name == ("method" if key == _SMOOTH else key) and (cls is not Smoothing or key == _SMOOTH):
                read["method" if key == _SMOOTH else key] = entry.checked(value, f"{path.name}: {section}")
                return


def _near(name: object, known: Any) -> str:
    close = difflib.get_close_matches(str(name), list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
