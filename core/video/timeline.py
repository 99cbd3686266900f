"""Presentation times as containers really state them: missing, doubled, running backwards, or starting over."""
from __future__ import annotations


class Timeline:
    """Places one frame (or packet) after the other; what comes out increases strictly, and good times come out as they came in.

    - A missing time is one nominal step after the last.
    - A time that repeats or falls back by less than ten steps is a jitter: the frame goes half a step after the last, and the next good
      time counts as it stands, so nothing drifts.
    - A time further back is a new beginning (files glued together, a counter that wrapped): it goes one step after the last, and
      all later times move with it.
    """

    def __init__(self, step: int) -> None:
        self.step = max(1, step)
        self._last: int | None = None
        self._offset = 0

    def place(self, time: int | None) -> int:
        """Give the time at which the next frame is shown, for the time that the container states."""
        last = self._last
        if time is None:
            placed = 0 if last is None else last + self.step
        else:
            placed = time + self._offset
            if last is not None and placed <= last:
                if last - placed < 10 * self.step:
                    placed = last + max(1, self.step // 2)
                else:
                    self._offset += last + self.step - placed
                    placed = last + self.step
        self._last = placed
        return placed
