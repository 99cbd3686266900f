"""The progress callable that every long job is handed. Calling it is also the cancel check: it may raise to stop the job."""
from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far a job is. May raise (ComfyUI's interrupt, KeyboardInterrupt); the job then unwinds and leaves nothing half-made."""

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total` steps; `total` may be 0 while it is not known."""


def silent(done: int, total: int) -> None:
    """Report to nobody, never cancel."""


def part(progress: Progress, index: int, parts: int) -> Progress:
    """Give a progress for step `index` of `parts` equal steps of a longer job."""

    def report(done: int, total: int) -> None:
        progress(index * total + done, parts * total)

    return report
