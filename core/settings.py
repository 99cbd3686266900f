"""Settings: what a frozen dataclass's fields say of themselves, once, for widgets, the command line, errors and help."""
from __future__ import annotations

import dataclasses
import math
import numbers
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

Kind = Literal["float", "int", "bool", "choice", "text"]
Value = float | int | bool | str

_KINDS: dict[type, Kind] = {float: "float", int: "int", bool: "bool", str: "text"}


class SettingError(ValueError):
    """A setting that is unknown, of the wrong kind or out of range; the message names it, its value and what is allowed."""


@dataclass(frozen=True)
class Setting:
    """One setting of an operation: its name, kind, default, range, unit and a sentence of help."""

    name: str
    kind: Kind
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()

    def allowed(self) -> str:
        """Say in words what values are taken, e.g. ``a number between 0 and 1 (px)``."""
        unit = f" ({self.unit})" if self.unit else ""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "bool":
            return "true or false"
        if self.kind == "text":
            return "text"
        noun = "a whole number" if self.kind == "int" else "a number"
        if self.low is not None and self.high is not None:
            return f"{noun} between {self.low:g} and {self.high:g}{unit}"
        return f"{noun}{'' if self.low is None else f' of at least {self.low:g}'}{unit}"

    def checked(self, value: object, owner: str) -> Value:
        """Give `value` as a plain Python value of this kind.

        Raises:
            SettingError: wrong kind, out of range, NaN or infinite, or not among the choices.
        """
        wrong = SettingError(f"{owner}: {self.name} is {value!r}; it must be {self.allowed()}.")
        if self.kind == "bool":
            if not isinstance(value, bool) and not (hasattr(value, "dtype") and value in (True, False)):
                raise wrong
            return bool(value)
        if self.kind in ("choice", "text"):
            if not isinstance(value, str) or (self.choices and value not in self.choices):
                raise wrong
            return value
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise wrong
        number = float(value)
        if self.kind == "int" and not number.is_integer():
            raise wrong
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise wrong
        return int(number) if self.kind == "int" else number

    def parsed(self, text: str, owner: str) -> Value:
        """Read the value from text, as written on a command line.

        Raises:
            SettingError: the text is not of this kind, or the value is out of range.
        """
        value: object = text
        if self.kind == "bool":
            value = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}.get(
                text.strip().lower(), text)
        elif self.kind in ("float", "int"):
            try:
                value = float(text)
            except ValueError:
                value = text
        return self.checked(value, owner)


def setting(
    default: Value, help: str, *, low: float | None = None, high: float | None = None, step: float | None = None, unit: str = ""
) -> Any:
    """Declare a dataclass field as a setting with its range (inclusive), step of the widget, unit and help sentence."""
    return field(default=default, metadata={"setting": {"help": help, "low": low, "high": high, "step": step, "unit": unit}})


def settings_of(cls: type[Any]) -> tuple[Setting, ...]:
    """List the settings that a dataclass declares, in order; kinds come from the annotations (float, int, bool, Literal, str)."""
    hints = get_type_hints(cls)
    found = []
    for entry in dataclasses.fields(cls):
        if "setting" not in entry.metadata:
            continue
        hint = hints[entry.name]
        choices = tuple(get_args(hint)) if get_origin(hint) is Literal else ()
        kind: Kind = "choice" if choices else _KINDS[hint]
        default: Any = entry.default
        found.append(Setting(entry.name, kind, default, choices=choices, **entry.metadata["setting"]))
    return tuple(found)


def check_settings(instance: Any) -> None:
    """Check every setting of a frozen dataclass in place and bring it to a plain Python value; for ``__post_init__``.

    Raises:
        SettingError: names the first setting that is wrong.
    """
    for entry in settings_of(type(instance)):
        object.__setattr__(instance, entry.name, entry.checked(getattr(instance, entry.name), type(instance).__name__))


def known_settings(cls: type, names: Any) -> None:
    """Refuse names that are not settings of `cls`.

    Raises:
        SettingError: names the unknown ones and lists the known ones.
    """
    known = [s.name for s in settings_of(cls)]
    unknown = [n for n in names if n not in known]
    if unknown:
        raise SettingError(f"{cls.__name__} has no setting {', '.join(map(repr, unknown))}; it has {', '.join(known) or 'none'}.")
