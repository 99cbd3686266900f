"""The operations by name: from JSON, from the command line's text, from settings."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .adjust import FrameAdjust
from .face.align import AlignFace
from .face.on_face import OnFace
from .face.smooth.savgol import TemporalBlend
from .face.track import FaceTrack
from .lipsync.lip_json import read as read_lips
from .lipsync.lip_sync import LipSync
from .masked import Mask, Masked
from .operation import Chain, Operation
from .restore.bm3d.operation import BM3D
from .restore.clahe.lbclahe import LBCLAHE
from .restore.deblur.operation import Deblur
from .restore.grain.add import AddGrain
from .restore.grain.remove import RemoveGrain
from .restore.prior.deep_image_prior import DeepImagePrior
from .restore.sharpen import Sharpen
from .settings import SettingError, known_settings, settings_of
from .upscale.super_resolve import SuperResolve
from .video.colour import LEARNT, ColorMatch
from .video.temporal import TemporalConsistency

OPERATIONS: dict[str, type[Operation]] = {
    "colormatch": ColorMatch,
    "addgrain": AddGrain,
    "bm3d": BM3D,
    "deblur": Deblur,
    "deepimageprior": DeepImagePrior,
    "frameadjust": FrameAdjust,
    "lbclahe": LBCLAHE,
    "removegrain": RemoveGrain,
    "sharpen": Sharpen,
    "superresolve": SuperResolve,
    "temporalconsistency": TemporalConsistency,
}
"""Every operation that can be named; the name is the class name in lower case."""

_LEARNT = {
    "addgrain": ("profile", "own", "together", "where"),
    "bm3d": ("measured",),
    "colormatch": LEARNT,
    "deblur": ("measured", "picture"),
    "deepimageprior": ("holes",),
    "frameadjust": ("clip_mean",),
    "lbclahe": ("shots",),
    "removegrain": ("profile",),
    "superresolve": ("region",),
}
"""Entries of an operation's JSON that are no settings: a survey's find, a region. Such a class reads its own JSON, by `from_json`."""


def operation_named(name: str, settings: Mapping[str, Any] | None = None) -> Operation:
    """Make an operation from its name and settings; those not given keep their defaults.

    Raises:
        SettingError: unknown operation or setting, or a setting out of range; the message says what there is.
    """
    cls = _class_named(name)
    settings = settings or {}
    known_settings(cls, settings)
    return cls(**settings)


def parse_operation(text: str) -> Operation:
    """Make an operation from text such as ``sharpen`` or ``sharpen:strength=0.4,mode=unsharp``.

    Raises:
        SettingError: the text has another form, or what `operation_named` raises.
    """
    name, _, rest = text.partition(":")
    cls = _class_named(name.strip())
    entries = {entry.name: entry for entry in settings_of(cls)}
    settings: dict[str, Any] = {}
    for pair in filter(None, (p.strip() for p in rest.split(","))):
        key, equals, value = (p.strip() for p in pair.partition("="))
        if not equals:
            raise SettingError(f"{text!r}: {pair!r} is not of the form setting=value; write e.g. {cls.name()}:{_example(cls)}.")
        known_settings(cls, [key])
        if key in settings:
            raise SettingError(f"{text!r}: {key} is set twice.")
        settings[key] = entries[key].parsed(value, cls.__name__)
    return cls(**settings)


def operation_from_json(plain: Any) -> Operation:
    """Make an operation from what `Operation.to_json` gave; chains, masks and those that follow a face included.

    Raises:
        SettingError: not such JSON, unknown operation or setting, or a setting out of range.
    """
    if not isinstance(plain, Mapping) or not isinstance(plain.get("op"), str):
        raise SettingError(f'{str(plain)[:80]!r} is no operation; wanted is an object with "op" and its settings.')
    name, entries = plain["op"], {key: value for key, value in plain.items() if key != "op"}
    if name == Chain.name():
        _require_entries(name, entries, ("operations",))
        if not isinstance(entries["operations"], list):
            raise SettingError("chain: operations must be a list.")
        return Chain(tuple(operation_from_json(link) for link in entries["operations"]))
    if name == Masked.name():
        _require_entries(name, entries, ("operation", "mask"))
        if not isinstance(entries["mask"], Mapping):
            raise SettingError("masked: mask must be an object, as `Mask.to_json` gives it.")
        return Masked(operation=operation_from_json(entries["operation"]), mask=Mask.from_json(dict(entries["mask"])))
    if name == AlignFace.name():
        return AlignFace.from_json(entries)
    if name == OnFace.name():
        worked = operation_from_json(entries.pop("operation", None))
        return OnFace(**{**entries, "operation": worked, "track": FaceTrack.from_json(entries.get("track"))})
    if name == LipSync.name():
        return read_lips(entries, operation_from_json)
    if name == TemporalBlend.name():
        return TemporalBlend(**entries)
    cls: Any = _class_named(name)
    known_settings(cls, [key for key in entries if key not in _LEARNT.get(name, ())])
    made: Operation = cls.from_json(entries) if name in _LEARNT else cls(**entries)
    return made


def _class_named(name: str) -> type[Operation]:
    if name not in OPERATIONS:
        raise SettingError(f"there is no operation {name!r}; there are {', '.join(sorted(OPERATIONS))}.")
    return OPERATIONS[name]


def _require_entries(name: str, entries: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    if set(entries) != set(wanted):
        raise SettingError(f"{name}: has {', '.join(sorted(entries)) or 'nothing'}; wanted is {' and '.join(wanted)}.")


def _example(cls: type[Operation]) -> str:
    entry = settings_of(cls)[0]
    return f"{entry.name}={entry.default}"
