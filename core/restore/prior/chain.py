"""Frames that start from the one before, and the few of them that are remembered because a streamed clip brings them twice."""
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...arrays import Frame, Frames, contiguous
from .fit import Weights

TileWeights = tuple[tuple[Weights, ...] | None, ...]
"""The weights of every network of every tile of a frame; None for a tile that needed no fit."""


@dataclass(frozen=True)
class Link:
    """One frame of a group.

    Attributes:
        key: stands for the frame and all that its group holds before it.
        before: the key of the frame that it starts from; None where it starts from nothing.
    """

    key: bytes
    before: bytes | None


@dataclass(frozen=True, eq=False)
class _Entry:
    made: Frame
    weights: TileWeights


@dataclass
class Remembered:
    """The last few results. An equal frame with equal frames before it has an equal result, so this saves work and changes none."""

    _entries: dict[bytes, _Entry] = field(default_factory=dict)

    def links(self, frames: Frames, missing: list[Frame | None], start: int, restart: int) -> Iterator[Link | None]:
        """Say of each frame what it is and what it starts from.

        Args:
            frames: consecutive, ``[B,H,W,C]``.
            missing: what is to be filled in each, or None.
            start: index of the first one.
            restart: frames of a group; groups are counted from the clip's frame 0.

        Yields:
            A link a frame; None for the first ones where their group begins before these frames. Whatever is remembered, those are
            not known here: they are neighbours, which a stream has had made by an earlier call and drops from this one.
        """
        key: bytes | None = None
        for i, frame in enumerate(frames):
            if i < -start % restart:
                yield None
                continue
            before = None if (start + i) % restart == 0 else key
            key = hashlib.sha256((before or b"") + (start + i).to_bytes(8, "little") + _digest(frame, missing[i])).digest()
            yield Link(key, before)

    def look_up(self, link: Link) -> Frame | None:
        """Give the result of a frame, if it is remembered."""
        entry = self._entries.get(link.key)
        return None if entry is None else entry.made

    def weights_before(self, link: Link) -> TileWeights | None:
        """Give the weights that a frame starts from."""
        entry = None if link.before is None else self._entries.get(link.before)
        return None if entry is None else entry.weights

    def keep(self, link: Link, made: Frame, weights: TileWeights, most: int) -> None:
        """Remember a result, and no more than the last `most` of them."""
        self._entries[link.key] = _Entry(made, weights)
        while len(self._entries) > most:
            del self._entries[next(iter(self._entries))]


def _digest(frame: Frame, missing: Frame | None) -> bytes:
    found = hashlib.sha256(contiguous(frame).data)
    if missing is not None:
        found.update(contiguous(missing).data)
    return found.digest()
