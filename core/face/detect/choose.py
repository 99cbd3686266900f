"""Which face, and staying with it."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from .interface import Detection

Rule = Literal["largest", "nearest", "index", "best"]

SAME = 1.0
"""A face counts as the one of a frame ago when it lies within this many face sizes of it, changes of size added in."""


@dataclass(frozen=True)
class FaceChoice:
    """Which face of a frame with several to follow.

    `rule` is used when a face is picked anew (at the start, and after the followed one stays away): the largest; the one nearest to
    `point` (px); the `index`-th from the left, from 0; the best score. Faces smaller than `min_size` (px, the square root of
    the box's area) or below `min_score` are never taken. `patience` is how many frames another face must stay, with the
    followed one away, before it is taken instead.
    """

    rule: Rule = "largest"
    point: tuple[float, float] = (0.0, 0.0)
    index: int = 0
    min_size: float = 32.0
    min_score: float = 0.3
    patience: int = 6

    def admitted(self, faces: Sequence[Detection]) -> list[Detection]:
        """Keep the faces that are large and certain enough."""
        return [f for f in faces if f.size >= self.min_size and f.score >= self.min_score]

    def pick(self, faces: Sequence[Detection]) -> Detection | None:
        """Pick one face by the rule; None where there is none (or no `index`-th one)."""
        if not faces:
            return None
        if self.rule == "largest":
            return max(faces, key=lambda f: f.size)
        if self.rule == "nearest":
            return min(faces, key=lambda f: math.dist(f.centre, self.point))
        if self.rule == "best":
            return max(faces, key=lambda f: f.score)
        ordered = sorted(faces, key=lambda f: f.centre[0])
        return ordered[self.index] if self.index < len(ordered) else None


def difference(one: Detection, other: Detection) -> float:
    """Say how unlike two places of a face are: distance of the boxes' middles in face sizes plus twice the log of the size ratio."""
    sizes = max(one.size, 1e-6), max(other.size, 1e-6)
    return math.dist(one.centre, other.centre) / math.sqrt(sizes[0] * sizes[1]) + 2 * abs(math.log(sizes[0] / sizes[1]))


@dataclass
class Follower:
    """Follows one face through the candidates of frame after frame; `chosen` grows by one entry a frame.

    While the followed face is away, another face is only noted. Once it has stayed for `patience` frames on end it becomes the
    followed one, from the frame in which it came: a scene cut costs no frame, and a passer-by or a false hit takes over nothing.
    """

    choice: FaceChoice
    chosen: list[Detection | None] = field(default_factory=list)
    switches: list[int] = field(default_factory=list)
    _face: Detection | None = None
    _noted: list[Detection] = field(default_factory=list)

    @property
    def near(self) -> Detection | None:
        """Give the face to look for in the next frame; None asks for every face, while another one is about to take over."""
        return None if self._noted else self._face

    def step(self, faces: Sequence[Detection]) -> None:
        """Take the candidates of the next frame."""
        faces = self.choice.admitted(faces)
        if self._face is None:
            self._face = self.choice.pick(faces)
            self.chosen.append(self._face)
            return
        face = self._face
        same = min(faces, key=lambda f: difference(f, face), default=None)
        if same is not None and difference(same, face) < SAME:
            self._face = same
            self._noted = []
            self.chosen.append(same)
            return
        self.chosen.append(None)
        self._note(faces)

    def _note(self, faces: Sequence[Detection]) -> None:
        last = self._noted[-1] if self._noted else None
        other = self.choice.pick(faces) if last is None else min(faces, key=lambda f: difference(f, last), default=None)
        if other is None or (last is not None and difference(other, last) >= SAME):
            self._noted = []
            other = self.choice.pick(faces)
        if other is None:
            return
        self._noted.append(other)
        if len(self._noted) >= self.choice.patience:
            self.chosen[-len(self._noted):] = self._noted
            self.switches.append(len(self.chosen) - len(self._noted))
            self._face, self._noted = other, []
