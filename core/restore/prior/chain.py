"""Frames that start from the one before, and the few of them that are remembered because a streamed clip brings them twice."""
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...arrays import Frame, Frames, contiguous
from .fit import Weights

TileWeights = tuple[Weights | None, ...]
"""The weights of every tile of a frame; None for a tile that needed no fit."""


@dataclass(frozen=True)
class Link:
    """One frame of a group.

    Attributes:
        index: its place in the clip.
        key: stands for the frame and all that its group holds before it.
        before: the key of the frame that it starts from; None where it starts from nothing.
    """

    index: int
    key: bytes
    before: bytes | None


@dataclass(frozen=True, eq=False)
class _Entry:
    index: int
    content: bytes
    made: Frame
    weights: TileWeights


@dataclass
class Remembered:
    """The last few results. An equal frame with equal frames before it has an equal result, so this saves work and changes none."""

    _entries: dict[bytes, _Entry] = field(default_factory=dict)

    def links(self, frames: Frames, missing: list[Frame | None], start: int, restart: int) -> Iterator[Link]:
        """Say of each frame what it is and what it starts from.

        Args:
            frames: consecutive, ``[B,H,W,C]``.
            missing: what is to be filled in each, or None.
            start: index of the first one.
            restart: frames of a group; groups are counted from the clip's frame 0.
        """
        key: bytes | None = None
        for i, frame in enumerate(frames):
            content = _digest(frame, missing[i])
            first_of_group = (start + i) % restart == 0
            if i == 0 and not first_of_group:
                # Its group begins before these frames. It is here as a neighbour, and a stream has had it made by a call before this one.
                found = next((k for k, e in self._entries.items() if (e.index, e.content) == (start, content)), None)
                if found is not None:
                    key = found
                    yield Link(start, key, None)
                    continue
            before = None if first_of_group else key
            key = hashlib.sha256((before or b"") + content).digest()
            yield Link(start + i, key, before)

    def look_up(self, link: Link) -> Frame | None:
        """Give the result of a frame, if it is remembered."""
        entry = self._entries.get(link.key)
        return None if entry is None else entry.made

    def weights_before(self, link: Link) -> TileWeights | None:
        """Give the weights that a frame starts from."""
        entry = None if link.before is None else self._entries.get(link.before)
        return None if entry is None else entry.weights

    def keep(self, link: Link, frame: Frame, missing: Frame | None, made: Frame, weights: TileWeights, most: int) -> None:
        """Remember a result, and no more than the last `most` of them."""
        self._entries[link.key] = _Entry(link.index, _digest(frame, missing), made, weights)
        while len(self._entries) > most:
            del self._entries[next(iter(self._entries))]


def _digest(frame: Frame, missing: Frame | None) -> bytes:
    found = hashlib.sha256(contiguous(frame).data)
    if missing is not None:
        found.update(contiguous(missing).data)
    return found.digest()
