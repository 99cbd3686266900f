"""Settings as options of the command line: flag, choices, default and help from what the class says of itself."""
from __future__ import annotations

import argparse
from typing import Any, TypeVar

from ..core.settings import settings_of

_Settings = TypeVar("_Settings")

_TYPES = {"float": float, "int": int}


def add_settings(parser: argparse.ArgumentParser, cls: type[Any], flags: dict[str, str] | None = None, *, given_only: bool = False) -> None:
    """Add an option for each setting of a class: ``min_size`` becomes ``--min-size``, unless `flags` names it otherwise.

    With `given_only` the options hold only what was given, so that other sources can fill in the rest; switches then have a ``--no-`` form.
    """
    flags = flags or {}
    for entry in settings_of(cls):
        unit = f", {entry.unit}" if entry.unit else ""
        text = f"{entry.help} Default: {entry.default}{unit}.".replace("%", "%%")
        flag = flags.get(entry.name, "--" + entry.name.replace("_", "-"))
        default = argparse.SUPPRESS if given_only else entry.default
        if entry.kind == "bool" and given_only:
            parser.add_argument(flag, dest=entry.name, action=argparse.BooleanOptionalAction, default=default, help=text)
        elif entry.kind == "bool":
            parser.add_argument(flag, dest=entry.name, action="store_true", help=text)
        else:
            parser.add_argument(flag, dest=entry.name, type=_TYPES.get(entry.kind, str), choices=entry.choices or None,
                                default=default, help=text, metavar=None if entry.choices else entry.kind.upper())


def settings_from(options: argparse.Namespace, cls: type[_Settings]) -> _Settings:
    """Make the settings of a class from the options that `add_settings` added.

    Raises:
        SettingError: one is out of range.
    """
    return cls(**{entry.name: getattr(options, entry.name) for entry in settings_of(cls)})
