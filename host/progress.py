"""The progress callable that the host gives to core: ComfyUI's bar and interrupt, or a bar in the terminal."""
from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from PIL import Image
from tqdm import tqdm

from ..core.arrays import Frame, to_uint8
from ..core.progress import Progress
from .comfy import module
from .page import server

PERIOD = 0.1
"""Seconds between two updates of a bar. Older servers send one message an update; the cancel check runs at every call all the same."""


PREVIEW = 512
"""Longest side of a picture shown while a node works, px."""


class NodeProgress(Progress, Protocol):
    """A progress that can show a picture as well."""

    def picture(self, frame: Frame) -> None:
        """Show a frame ``[H,W,C]`` on the node, where the host can."""


def node_progress(title: str, node_id: str | None = None, unit: str = "frames") -> NodeProgress:
    """Give the progress for one run of a node.

    Inside ComfyUI every call checks for Cancel (and lets InterruptProcessingException pass); the bar moves and, where the server can
    show text on a node, the time left appears. Elsewhere a bar with the time left is drawn when the error stream is a terminal.

    Args:
        title: what the terminal's bar is called.
        node_id: the node's id in the graph (hidden input UNIQUE_ID), for the text on the node.
        unit: what is counted, in the plural; empty where the numbers mean nothing but shares of the whole.
    """
    return _ComfyProgress(node_id, unit) if module("comfy.utils") else _TerminalProgress(title, unit)


class _ComfyProgress:
    def __init__(self, node_id: str | None, unit: str) -> None:
        self._node_id, self._unit = node_id, unit
        self._bar: Any = None
        self._at = (0, 1)
        self._started = self._shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        management: Any = module("comfy.model_management")
        management.throw_exception_if_processing_interrupted()
        self._at = done, total
        now = time.monotonic()
        if done != total and now - self._shown < PERIOD:
            return
        self._shown = now
        if self._bar is None:
            utils: Any = module("comfy.utils")
            self._bar = utils.ProgressBar(total)
        self._bar.update_absolute(done, total)
        self._tell(done, total, now - self._started)

    def picture(self, frame: Frame) -> None:
        if self._bar is not None:
            shown = Image.fromarray(to_uint8(frame if frame.shape[2] == 3 else frame.repeat(3, 2)))
            self._bar.update_absolute(*self._at, ("JPEG", shown, PREVIEW))

    def _tell(self, done: int, total: int, elapsed: float) -> None:
        page: Any = server()
        if self._node_id is None or not hasattr(page, "send_progress_text") or elapsed < 2 or not 0 < done <= total:
            return
        left = elapsed / done * (total - done)
        counted = f"{done} of {total}" if self._unit else f"{done / total:.0%}"
        whole = f"{total} {self._unit}" if self._unit else "done"
        text = f"{counted}, {clock(left)} left" if done < total else f"{whole} in {clock(elapsed)}"
        page.send_progress_text(text, self._node_id)


class _TerminalProgress:
    def __init__(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit.removesuffix("s")
        self._bar: tqdm[Any] | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = tqdm(total=total, desc=self._title, unit=self._unit, leave=False, disable=None, file=sys.stderr, mininterval=PERIOD)
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if done >= total:
            self._bar.close()

    def picture(self, frame: Frame) -> None:
        """Show nothing: a terminal has no place for it."""


def clock(seconds: float) -> str:
    """Write a time span as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
