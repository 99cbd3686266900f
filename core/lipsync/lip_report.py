"""The report of a run: what was drawn, how, how fast, how surely."""
from __future__ import annotations

from typing import Any

from ..report import Report
from .clip import Lengthened
from .ledger import Ledger
from .lip_sync import LipSync
from .sound import LipSound


def lip_report(operation: LipSync, whole: Lengthened, sound: LipSound, ledger: Ledger) -> Report:
    """Give the figures of a finished run.

    Args:
        operation: as it ran, with what it learnt.
        whole: the clip as it was lengthened.
        sound: what was heard.
        ledger: what was written down on the way.
    """
    fps = operation.track.fps
    figures: dict[str, Any] = {
        "frames of the clip": whole.own, "frames per second": str(fps), "sound (s)": float(sound.seconds),
        "sampler": "auto" if operation.preset == "auto" else f"{operation.sampler}, {operation.fixed_sampler().evaluations} evaluations",
        "seed": operation.seed, "precision": operation.precision, "checkpoint": operation.model.name,
        "checkpoint sha256": operation.model.sha256,
    }
    heard = sound.frames(fps)
    if heard < len(whole.order):
        figures["frames after the sound's end, drawn to silence"] = len(whole.order) - heard
    elif heard > len(whole.order):
        figures["sound cut off after the last frame (s)"] = float(sound.seconds - len(whole.order) / fps)
    return ledger.report("Diff2Lip Generate", {**figures, **dict(operation.learnt.figures)})
