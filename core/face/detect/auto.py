"""Opening a detector by name, or the best one whose files and packages are here."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from ... import weights
from .cascade import Cascade
from .fan import FaceAlignment
from .interface import Detector, DetectorError
from .mesh import FaceMesh
from .scrfd import Scrfd
from .yunet import YuNet

Name = Literal["auto", "mesh", "face_alignment", "yunet", "scrfd", "builtin"]
NAMES: tuple[str, ...] = get_args(Name)


@dataclass(frozen=True)
class Opened:
    """A detector that is ready, and why it is this one: one sentence for each better one that was passed over."""

    detector: Detector
    why: tuple[str, ...]


def open_detector(
    name: str, folders: Sequence[Path], *, min_size: float = 48.0, min_score: float | None = None, device: str = "cpu",
    file: Path | None = None,
) -> Opened:
    """Open a detector.

    Args:
        name: one of `NAMES`. ``auto`` takes the first of mesh, face_alignment, yunet, builtin that is there: the order of
            steadiness and speed as measured. SCRFD is taken when it is asked for only, since its weights are not free for every use.
        folders: where weights are searched; for face_alignment its own cache, too.
        min_size: smallest face, px, that a search of the whole frame should find.
        min_score: lowest confidence, 0..1; each detector's own by default.
        device: torch device for face_alignment.
        file: a weights file for YuNet or SCRFD, instead of a search.

    Raises:
        DetectorError: there is no such detector, or its file or package is missing; the message says what to do.
    """
    makers: dict[str, Callable[[], Detector]] = {
        "mesh": lambda: _mesh(folders, min_size, min_score),
        "face_alignment": lambda: _fan(folders, device, min_score),
        "yunet": lambda: YuNet(_file(file, (weights.YUNET, weights.YUNET_2023), folders), min_score=_score(min_score, 0.6)),
        "scrfd": lambda: Scrfd(_file(file, (weights.SCRFD, weights.SCRFD_BN), folders), min_score=_score(min_score, 0.5)),
        "builtin": lambda: Cascade(min_size=min_size),
    }
    if name in makers:
        return Opened(makers[name](), (f"{name} was asked for.",))
    if name != "auto":
        raise DetectorError(f"There is no face detector {name!r}; there are {', '.join(NAMES)}.")
    passed: list[str] = []
    for candidate in ("mesh", "face_alignment", "yunet"):
        try:
            return Opened(makers[candidate](), (*passed, f"auto chose {candidate}."))
        except DetectorError as error:
            passed.append(f"{candidate} was passed over: {error}")
    return Opened(makers["builtin"](), (*passed, "auto chose builtin, which needs nothing."))


def _score(given: float | None, default: float) -> float:
    return default if given is None else given


def _mesh(folders: Sequence[Path], min_size: float, min_score: float | None) -> FaceMesh:
    landmark, detection = (_found(c, folders) for c in (weights.FACE_MESH, weights.FACE_DETECTION))
    return FaceMesh(landmark, detection, min_size=min_size, min_score=_score(min_score, 0.5))


def _fan(folders: Sequence[Path], device: str, min_score: float | None) -> FaceAlignment:
    searched = (*folders, Path(torch.hub.get_dir()) / "checkpoints")
    fan, s3fd = (_found(c, searched) for c in (weights.FAN, weights.S3FD))
    return FaceAlignment(fan, s3fd, device=device, min_score=_score(min_score, 0.5))


def _file(file: Path | None, known: Sequence[weights.Checkpoint], folders: Sequence[Path]) -> Path:
    """Give the file named by the user, or the first known one that is in the folders."""
    if file is not None:
        if not file.is_file():
            raise DetectorError(f"{file} is not a file; a detector's weights are wanted there.")
        return file
    found = [path for path in (weights.find(c, folders) for c in known) if path is not None]
    return found[0] if found else _found(known[0], folders)


def _found(checkpoint: weights.Checkpoint, folders: Sequence[Path]) -> Path:
    path = weights.find(checkpoint, folders)
    if path is None:
        raise DetectorError(weights.missing_message(checkpoint, folders))
    return path
