"""The flows between consecutive frames of a clip, over a window that moves along it."""
from __future__ import annotations

from ..arrays import Frames
from ..parallel import for_each_frame
from ..progress import Progress
from .flow import Detail, Flow, Luma, flow_luma, flows_between


class FlowWindow:
    """Holds the flow from each frame of the window to the next, and back; what the window has left is let go."""

    def __init__(self, frames: Frames, detail: Detail) -> None:
        """Take the clip ``[B,H,W,C]``; nothing is measured yet."""
        self._frames, self._detail = frames, detail
        self._lumas: dict[int, Luma] = {}
        self._pairs: dict[int, tuple[Flow, Flow]] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def there(self, index: int) -> Flow:
        """Give the flow from frame `index` to the one after it."""
        return self._pairs[index][0]

    def back(self, index: int) -> Flow:
        """Give the flow from the frame after `index` to it."""
        return self._pairs[index][1]

    def move(self, first: int, last: int, progress: Progress) -> None:
        """Make the window reach from frame `first` to `last` - 1; it only ever moves on. OpenCV must be set to one thread.

        Args:
            first: index of its first frame.
            last: index after its last frame.
            progress: called after every pair; may raise to cancel.
        """
        self._lumas = {i: luma for i, luma in self._lumas.items() if i >= first}
        self._pairs = {i: pair for i, pair in self._pairs.items() if i >= first}
        new = [i for i in range(first, last) if i not in self._lumas]
        lumas: list[Luma | None] = [None] * len(new)

        def look(k: int) -> None:
            lumas[k] = flow_luma(self._frames[new[k]], self._detail)

        if new:
            for_each_frame(len(new), look)
        self._lumas.update((i, luma) for i, luma in zip(new, lumas, strict=True) if luma is not None)
        gaps = [i for i in range(first, last - 1) if i not in self._pairs]
        pairs: list[tuple[Flow, Flow] | None] = [None] * len(gaps)

        def follow(k: int) -> None:
            pairs[k] = flows_between(self._lumas[gaps[k]], self._lumas[gaps[k] + 1], self._detail)

        if gaps:
            for_each_frame(len(gaps), follow, progress)
        self._pairs.update((i, pair) for i, pair in zip(gaps, pairs, strict=True) if pair is not None)
