"""A lip-sync operation as JSON and back, so that it can be sent to another machine that has the same checkpoint."""
from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..face.track import FaceTrack
from ..masked import Mask
from ..operation import Operation
from ..settings import SettingError
from .learn import Learnt
from .model import open_model
from .network import SIZE
from .samplers.adams import Adams
from .samplers.auto import Plan
from .sound import LipSound

if TYPE_CHECKING:
    from .lip_sync import LipSync


def written(operation: LipSync) -> dict[str, Any]:
    """Give all that is no setting.

    Raises:
        SettingError: the network came from no file.
    """
    if operation.model.path is None:
        raise SettingError("LipSync: the network came from no file, so it cannot be written down.")
    learnt = operation.learnt
    return {
        "checkpoint": str(operation.model.path), "track": operation.track.to_json(), "sound": operation.sound.to_json(),
        "within": None if operation.within is None else operation.within.to_json(), "finish": operation.finish.to_json(),
        "learnt": {"reference": base64.b64encode(learnt.packed).decode("ascii"), "figures": [list(pair) for pair in learnt.figures],
                   "plan": None if learnt.plan is None else asdict(learnt.plan), "complete": learnt.complete},
    }


def read(plain: dict[str, Any], operation_from_json: Any) -> LipSync:
    """Read back what `LipSync.to_json` gave, less ``"op"``.

    Raises:
        SettingError: it is no such thing.
        CheckpointError: this machine has no such checkpoint.
    """
    from .lip_sync import LipSync

    parts = {name: plain.pop(name, None) for name in ("checkpoint", "track", "sound", "within", "finish", "learnt")}
    if not isinstance(parts["checkpoint"], str) or not isinstance(parts["learnt"], Mapping):
        raise SettingError("lipsync: has no checkpoint, or nothing learnt; wanted is what `LipSync.to_json` gave.")
    within = None if parts["within"] is None else Mask.from_json(parts["within"])
    finish: Operation = operation_from_json(parts["finish"])
    return LipSync(**plain, track=FaceTrack.from_json(parts["track"]), sound=LipSound.from_json(parts["sound"]), within=within,
                   model=open_model(Path(parts["checkpoint"])), finish=finish, learnt=_learnt(parts["learnt"]))


def _learnt(plain: Mapping[str, Any]) -> Learnt:
    try:
        packed = base64.b64decode(plain["reference"])
        reference = np.frombuffer(packed, np.float32).reshape(SIZE, SIZE, 3).copy() if packed else None
        plan = plain["plan"]
        if plan is not None:
            sampler = plan["sampler"]
            plan = Plan(**{**plan, "sampler": Adams(**{**sampler, "timesteps": tuple(sampler["timesteps"])})})
        return Learnt(reference, plan, tuple((str(name), value) for name, value in plain["figures"]), bool(plain["complete"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SettingError(f"lipsync: what was learnt cannot be read ({error}).") from error
