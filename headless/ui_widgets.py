"""What the widgets of a saved UI node hold, by input name, as the page that loads the file would have it.

The UI format saves widget values by position. Besides a node's inputs the page counts a "control after generate" widget behind a
seed (and a filter box behind a combo that has one); a value that the file does not hold is the widget's default.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .prompt import combo_options, input_specs

CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
SEEDS = ("seed", "noise_seed")
PREVIEWS = ("videopreview", "preview")
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
WIDGETS = frozenset({
    "INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", "MARKDOWN", "WEBCAM", "AUDIO_RECORD", "LOAD_3D", "LOAD_3D_ANIMATION",
    DYNAMIC_COMBO,
})

Specs = Mapping[str, tuple[str, Any, Mapping[str, Any]]]
"""Inputs by name: section, type, options."""

_DEFAULTS: Mapping[str, Any] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}


def is_widget(section: str, kind: Any, options: Mapping[str, Any]) -> bool:
    """Say whether the page draws a widget for an input, rather than only a socket."""
    return _has_widget_type(kind, options) and not is_forced(section, options)


def is_forced(section: str, options: Mapping[str, Any]) -> bool:
    """Say whether an input of a widget's type is only a socket by its own wish."""
    return bool(options.get("forceInput") or (section == "optional" and options.get("defaultInput")))


def widget_values(node: Mapping[str, Any], definition: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give the values of a saved node's widgets by input name.

    Args:
        node: a node of the UI format, its ``widgets_values`` a list (by position) or a mapping (by name).
        definition: its class's entry of /object_info; None for a class that is not known, whose values are then named after the
            inputs that the file itself marks as widgets.
    """
    saved = node.get("widgets_values")
    if definition is None:
        return _by_marks(node, saved)
    marked = {entry.get("name") for entry in node.get("inputs") or () if entry.get("widget")}
    specs = {
        name: (section, kind, options)
        for name, (section, kind, options) in input_specs(definition).items()
        if _has_widget_type(kind, options) or name in marked
    }
    if isinstance(saved, Mapping):
        found = _take_all(specs, _Values(()))
        return found | {name: value for name, value in saved.items() if name not in PREVIEWS}
    values = list(saved or ())
    # Files from before an input became a socket still hold its value: they are told by their length.
    old = any(is_forced(section, options) for section, _, options in specs.values()) and len(values) == sum(
        1 + _controls(name, kind, options) for name, (_, kind, options) in specs.items()
    )
    return _take_all(specs, _Values(values), count_forced=old)


class _Values:
    """Saved values, taken one by one."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._left = list(values)

    def take(self, default: Any) -> Any:
        return self._left.pop(0) if self._left else default

    def skip_control(self, *, filtered: bool) -> None:
        """Pass over a control's value, and its filter's; old files hold true or false, and files made by hand may hold none."""
        if self._left and (self._left[0] is None or isinstance(self._left[0], bool) or self._left[0] in CONTROLS):
            del self._left[: 2 if filtered else 1]


def _take_all(specs: Specs, values: _Values, *, count_forced: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (section, kind, options) in specs.items():
        if is_forced(section, options):
            if count_forced:
                values.take(None)
            continue
        value = values.take(_default(kind, options))
        if value is not None:
            found[name] = value
        if _controls(name, kind, options):
            values.skip_control(filtered=combo_options(kind, options) is not None)
        if kind == DYNAMIC_COMBO:
            found |= _take_all(_chosen(name, value, options), values)
    return found


def _chosen(name: str, value: Any, options: Mapping[str, Any]) -> Specs:
    """The widgets that a dynamic combo shows for its value, named ``combo.input``."""
    choice: Mapping[str, Any] = next((choice for choice in options.get("options") or () if choice.get("key") == value), {})
    return {
        f"{name}.{inner}": spec
        for inner, spec in input_specs({"input": choice.get("inputs")}).items()
        if _has_widget_type(spec[1], spec[2])
    }


def _has_widget_type(kind: Any, options: Mapping[str, Any]) -> bool:
    kind = options.get("widgetType") or kind
    return isinstance(kind, (list, tuple)) or kind in WIDGETS


def _controls(name: str, kind: Any, options: Mapping[str, Any]) -> int:
    """How many control widgets the page adds behind an input's widget, counting the filter box of a combo as part of its own."""
    wanted = options.get("control_after_generate")
    if wanted is None:
        wanted = kind == "INT" and name in SEEDS
    return int(bool(wanted))


def _default(kind: Any, options: Mapping[str, Any]) -> Any:
    if "default" in options:
        return options["default"]
    if kind == DYNAMIC_COMBO:
        return next((choice.get("key") for choice in options.get("options") or ()), None)
    choices = combo_options(kind, options)
    if choices is not None:
        return choices[0] if choices else None
    return _DEFAULTS.get(kind)


def _by_marks(node: Mapping[str, Any], saved: Any) -> dict[str, Any]:
    if isinstance(saved, Mapping):
        return dict(saved)
    names = [entry["widget"].get("name") or entry.get("name") for entry in node.get("inputs") or () if entry.get("widget")]
    left = _Values(saved or ())
    found: dict[str, Any] = {}
    for name in names:
        value = left.take(None)
        if value is not None:
            found[name] = value
        if name in SEEDS:
            left.skip_control(filtered=False)
    return found
