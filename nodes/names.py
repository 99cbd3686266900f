"""One place for the pack's names: ids, categories and the types on its wires."""
from __future__ import annotations

PREFIX = "Talkies"

LIPS = "TALKIES_LIPS"
"""A loaded Diff2Lip (`core.lipsync.model.LipModel`)."""

OPS = "TALKIES_OPS"
"""A chain of frame operations (`core.operation.Chain`)."""

GRAIN = "TALKIES_GRAIN"
"""The grain of a clip (`core.restore.grain.profile.GrainProfile`)."""

REPORT = "TALKIES_REPORT"
"""Named figures (`core.report.Report`)."""

SPEECH = "TALKIES_SPEECH"
"""Speech features, one row a video frame (`core.audio.speech.Speech`)."""

TRACK = "TALKIES_TRACK"
"""A face followed through a clip (`core.face.track.FaceTrack`)."""


class _AnyType(str):
    """Equal to every type: the server asks ``received != wanted`` before anything else."""

    def __ne__(self, other: object) -> bool:
        return False

    __eq__ = str.__eq__
    __hash__ = str.__hash__


ANY = _AnyType("*")
"""The type of an input that takes every wire."""


def category(area: str) -> str:
    """Give the menu path of an area, e.g. ``Talkies/Restore``."""
    return f"{PREFIX}/{area}"
