"""What has to be seen of a clip before its lips are drawn: the reference frame, a pilot for ``auto``, the distance of a shortcut."""
from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..arrays import Frame, Frames, to_bytes
from ..operation import Numbered
from ..progress import Progress, part
from .condition import assemble
from .draw import draw
from .network import SIZE
from .reference import reference_frame
from .samplers import auto
from .samplers.auto import Plan

if TYPE_CHECKING:
    from .lip_sync import LipSync

_MOST_PILOTS = 4
_FRAMES_A_PILOT = 50
_SAMPLE = 24  # faces that colours are measured on


@dataclass(frozen=True)
class Learnt:
    """What a survey found.

    Attributes:
        reference: the face that shows the mouth, ``[128,128,3]``; None for each frame's own.
        plan: what the pilot of ``auto`` decided; None for a fixed sampler.
        figures: names and values for the report.
        complete: whether a survey was made.
    """

    reference: Frame | None = field(default=None, repr=False, hash=False, compare=False)
    plan: Plan | None = None
    figures: tuple[tuple[str, float | int | str], ...] = ()
    complete: bool = False
    packed: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep the reference's bytes, so that values compare."""
        object.__setattr__(self, "packed", b"" if self.reference is None else to_bytes(self.reference))


def learn(operation: LipSync, clip: Iterable[Numbered], progress: Progress) -> Learnt:
    """Read a clip as far as the settings ask for, and try what they leave open.

    Raises:
        TrackError: a reference that has no face.
    """
    drawn = [i for i in range(operation.track.start, operation.track.stop) if operation.wanted(i)]
    if not drawn:
        return Learnt(complete=True)
    chosen = reference_frame(operation.track, operation.reference, operation.reference_index, operation.seed)
    pilots = _pilots(drawn) if operation.preset == "auto" else []
    pair = _pair(operation, drawn) if operation.shortcut else []
    faces = _gathered(operation, clip, {*pilots, *pair, *(() if chosen is None else (chosen,))})
    figures: list[tuple[str, float | int | str]] = [] if chosen is None else [("reference frame", chosen)]
    reference = None if chosen is None else faces[chosen]
    parts = bool(pilots) + bool(pair)
    plan = None
    if pilots:
        plan = _planned(operation, faces, pilots, reference, part(progress, 0, parts))
        figures.append(("auto", plan.to_text()))
    known = Learnt(reference, plan, tuple(figures), True)
    if pair:
        known = Learnt(reference, plan, (*figures, *_distance(operation, known, faces, pair, part(progress, parts - 1, parts))), True)
    return known


def sample(operation: LipSync, clip: Iterable[Numbered], progress: Progress) -> tuple[Frames, Frames]:
    """Draw a few faces spread over the clip; give them, and the same faces as they were cut, ``[N,128,128,3]`` each."""
    drawn = [i for i in range(operation.track.start, operation.track.stop) if operation.wanted(i)]
    chosen = drawn[:: -(-len(drawn) // _SAMPLE)] if drawn else []
    faces = _gathered(operation, clip, set(chosen))
    if not faces:
        nothing: Frames = np.empty((0, SIZE, SIZE, 3), np.float32)
        return nothing, nothing
    cut = np.stack([faces[i] for i in chosen])
    walk = operation.walk_with(operation.learnt).in_full()
    made = draw(operation.model, operation.inputs(cut, chosen, operation.learnt.reference), walk, progress=progress)
    return np.stack([face.picture for face in made]), cut


def _pilots(drawn: Sequence[int]) -> list[int]:
    """Choose a few frames spread over the clip."""
    count = min(_MOST_PILOTS, 1 + len(drawn) // _FRAMES_A_PILOT)
    return [drawn[round((k + 0.5) * len(drawn) / count - 0.5)] for k in range(count)]


def _pair(operation: LipSync, drawn: Sequence[int]) -> list[int]:
    """Choose a frame that is drawn in full, and one that starts from it if there is such a pair."""
    for index in drawn:
        if operation.follows(index):
            return [operation.leader(index), index]
    return [drawn[len(drawn) // 2]]


def _gathered(operation: LipSync, clip: Iterable[Numbered], wanted: set[int]) -> dict[int, Frame]:
    """Cut the faces of some frames out of a clip, which is read no further than the last of them."""
    faces: dict[int, Frame] = {}
    if not wanted:
        return faces
    for start, frames in clip:
        for index in sorted(wanted):
            if start <= index < start + len(frames):
                faces[index] = operation.cutter.faces(frames[index - start : index - start + 1], index)[0]
        if len(faces) == len(wanted):
            break
    return faces


def _planned(operation: LipSync, faces: dict[int, Frame], pilots: Sequence[int], reference: Frame | None, progress: Progress) -> Plan:
    """Walk the pilots finely and choose the evaluations for all."""
    stacked: Frames = np.stack([faces[i] for i in pilots])
    given = operation.inputs(stacked, pilots, reference)
    with operation.model.held(operation.precision, len(pilots)) as network:
        given = given.to(network.placement)
        together = len(given) if network.placement.type != "cpu" else 1  # on a CPU one at a time, as they will be drawn
        runs = [given.rows(slice(k, k + together)) for k in range(0, len(given), together)]
        each = [network.bound_to(network.prepare(run.cond, run.mask, run.ref, run.mel)) for run in runs]

        def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
            return torch.cat([one(rows, timestep) for one, rows in zip(each, torch.split(x, together), strict=True)])

        return auto.plan(denoise, given.start, operation.bound, given.mask, progress=progress)


def _distance(
    operation: LipSync, known: Learnt, faces: dict[int, Frame], pair: Sequence[int], progress: Progress
) -> list[tuple[str, float | int | str]]:
    """Draw a frame or two exactly and by the shortcut, and say how far apart they are and what it saved."""
    walk = operation.walk_with(known)
    given = operation.inputs(np.stack([faces[i] for i in pair]), pair, known.reference)
    began = time.monotonic()
    exact = draw(operation.model, given, walk.exact(), progress=part(progress, 0, 2))
    between = time.monotonic()
    short = draw(operation.model, given.rows(slice(0, 1)), walk.in_full())
    if len(pair) > 1:
        earlier = assemble(short[0].picture, short[0].picture, given.mel[:1], given.noise).face
        short += draw(operation.model, given.rows(slice(1, 2)), walk, earlier, part(progress, 1, 2))
    ended = time.monotonic()
    hidden = exact[0].picture.shape[0] // 2
    apart = [float(np.sqrt(np.mean((a.picture[hidden:] - b.picture[hidden:]) ** 2))) for a, b in zip(exact, short, strict=True)]
    spent = sum(d.evaluations for d in short) / sum(d.evaluations for d in exact)
    return [("shortcut: rms distance from the exact mouth (0..1)", max(apart)), ("shortcut: tried on frames", ", ".join(map(str, pair))),
            ("shortcut: evaluations, of the exact ones (%)", 100 * spent),
            ("shortcut: time, of the exact one (%)", 100 * (ended - between) / max(between - began, 1e-9))]
