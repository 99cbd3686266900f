"""The progress callable that the host gives to core: ComfyUI's bar and interrupt, or a bar in the terminal."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..core.arrays import Frame, to_uint8
from ..core.progress import Progress
from .comfy import module

PERIOD = 0.1
"""Seconds between two updates of a bar. Older servers send one message an update; the cancel check runs at every call all the same."""


_PREVIEW = 256  # px, the longest side


def node_progress(title: str, node_id: str | None = None, unit: str = "frame") -> Progress:
    """Give the progress for one run of a node.

    Inside ComfyUI every call checks for Cancel (and lets InterruptProcessingException pass); the bar moves and, where the server can
    show text on a node, the time left appears. Elsewhere a bar with the time left is drawn when the error stream is a terminal.

    Args:
        title: what the terminal's bar is called.
        node_id: the node's id in the graph (hidden input UNIQUE_ID), for the text on the node.
        unit: what is counted.
    """
    return _ComfyProgress(node_id, unit) if module("comfy.utils") else _TerminalProgress(title, unit)


def preview_of(progress: Progress) -> Callable[[Frame], None] | None:
    """Give what shows a picture ``[H,W,3]`` on the node with the next update of its bar; None where there is no place for one."""
    return progress.show if isinstance(progress, _ComfyProgress) else None


class _ComfyProgress:
    def __init__(self, node_id: str | None, unit: str) -> None:
        self._node_id, self._unit = node_id, unit
        self._picture: Frame | None = None
        self._bar: Any = None
        self._started = self._shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        management: Any = module("comfy.model_management")
        management.throw_exception_if_processing_interrupted()
        now = time.monotonic()
        if done != total and now - self._shown < PERIOD:
            return
        self._shown = now
        if self._bar is None:
            utils: Any = module("comfy.utils")
            self._bar = utils.ProgressBar(total)
        picture, self._picture = self._picture, None
        shown = None if picture is None else ("JPEG", Image.fromarray(to_uint8(picture)), _PREVIEW)
        self._bar.update_absolute(done, total, shown)
        self._tell(done, total, now - self._started)

    def show(self, picture: Frame) -> None:
        """Keep a picture for the next update of the bar."""
        self._picture = picture

    def _tell(self, done: int, total: int, elapsed: float) -> None:
        server: Any = getattr(getattr(module("server"), "PromptServer", None), "instance", None)
        if self._node_id is None or not hasattr(server, "send_progress_text") or elapsed < 2 or not 0 < done <= total:
            return
        left = elapsed / done * (total - done)
        text = f"{done} of {total}, {clock(left)} left" if done < total else f"{total} {self._unit}s in {clock(elapsed)}"
        server.send_progress_text(text, self._node_id)


class _TerminalProgress:
    def __init__(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit
        self._bar: tqdm[Any] | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = tqdm(total=total, desc=self._title, unit=self._unit, leave=False, disable=None, file=sys.stderr, mininterval=PERIOD)
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if done >= total:
            self._bar.close()


def clock(seconds: float) -> str:
    """Write a time span as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
