"""A pool of threads over frames, each worker calling OpenCV with one thread of its own.

Frames in parallel beat threads inside each OpenCV call: no fork and join per filter, and every worker stays in its own cache.
"""
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

import cv2

from .progress import Progress, silent

_T = TypeVar("_T")

_lock = threading.Lock()
_inside = 0
_threads_before = 0
_limit: int | None = None


def worker_count() -> int:
    """Count the processors that this process may use."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return there if _limit is None else min(there, _limit)


def limit_workers(count: int | None) -> None:
    """Let this process use no more processors than `count` from now on, where others work beside it; None takes the limit away."""
    global _limit
    _limit = None if count is None else max(1, count)


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Set OpenCV's own threads to 1 inside the block, and restore them when the last of several overlapping blocks ends."""
    global _inside, _threads_before
    with _lock:
        if _inside == 0:
            _threads_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                cv2.setNumThreads(_threads_before)


def for_each_frame(count: int, work: Callable[[int], None], progress: Progress = silent) -> None:
    """Call ``work(i)`` for each i in 0..count-1 on a pool of threads, in no fixed order.

    Args:
        count: number of frames. One frame runs on the calling thread, where OpenCV may use all its own threads.
        work: writes its result to its own place; must not depend on the order.
        progress: called on the calling thread after every frame; what it raises stops the rest.

    Raises:
        Exception: the first error of `work`, or what `progress` raised, once the running frames have ended.
    """
    if count == 1:
        work(0)
        progress(1, 1)
        return
    workers = min(worker_count(), count)
    with single_threaded_opencv(), ThreadPoolExecutor(workers, thread_name_prefix="talkies-frame") as pool:
        pending: set[Future[None]] = set()
        submitted = done = 0
        try:
            while done < count:
                # A short queue, so that a cancel waits for a frame or two and not for the clip.
                while submitted < count and len(pending) < 2 * workers:
                    pending.add(pool.submit(work, submitted))
                    submitted += 1
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                done += len(finished)
                progress(done, count)
        finally:
            for future in pending:
                future.cancel()


class PerThread(Generic[_T]):
    """One object a thread, made at first use, for what threads must not share: libswscale's contexts, scratch memory."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._local = threading.local()

    @property
    def mine(self) -> _T:
        """Give the object of the calling thread."""
        if not hasattr(self._local, "made"):
            self._local.made = self._make()
        made: _T = self._local.made
        return made
