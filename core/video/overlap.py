"""Reading ahead and writing behind: decoding, computing and encoding at the same time, one run of frames apart."""
from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Generic, TypeVar

_T = TypeVar("_T")

POLL = 0.1
"""Seconds between two looks at whether a job was cancelled, while it waits for another thread."""


def ahead(items: Iterable[_T]) -> Generator[_T, None, None]:
    """Walk an iterable on a thread of its own: while the consumer works on one item, the next one is made, and no more than that.

    What the iterable raises is raised here, in its place. Closing the generator ends the thread once the item that it makes is made.
    """
    wanted, made, over = threading.Semaphore(1), threading.Semaphore(0), threading.Event()
    slot: list[_T] = []
    failure: list[BaseException] = []

    def walk() -> None:
        walked = iter(items)
        try:
            while wanted.acquire() and not over.is_set():
                slot.append(next(walked))
                made.release()
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001  it is raised where the items are consumed
            failure.append(error)
        finally:
            close = getattr(walked, "close", None)
            if close:
                close()
            over.set()
            made.release()

    thread = threading.Thread(target=walk, name="talkies-read", daemon=True)
    thread.start()
    try:
        while made.acquire():
            if not slot:
                break
            item = slot.pop()
            wanted.release()
            yield item
            del item
        if failure:
            raise failure[0]
    finally:
        over.set()
        wanted.release()
        thread.join()


def _nothing(item: object) -> None:
    """Do nothing with it."""


class Behind(Generic[_T]):
    """Calls a function with one item after the other on a thread of its own: while it works on one, the next is prepared.

    A context manager. The end of the block waits for the last call; an exception in the block drops what was not begun. What the
    function raises is raised by the next hand-over or by the end of the block.
    """

    def __init__(self, work: Callable[[_T], None], waiting: Callable[[], None] = lambda: None) -> None:
        """Take the function, and another that is called now and then on the caller's thread while that waits; it may raise to cancel."""
        self._work, self._waiting = work, waiting
        self._idle, self._given, self._over = threading.Semaphore(1), threading.Semaphore(0), threading.Event()
        self._slot: list[_T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="talkies-write", daemon=True)

    @property
    def cancelled(self) -> bool:
        """Say whether the block was left by an exception: the function may ask this and end early."""
        return self._over.is_set()

    def __enter__(self) -> Behind[_T]:
        self._thread.start()
        return self

    def __call__(self, item: _T) -> None:
        """Hand over the next item; waits while the one before it is being worked on."""
        self._wait()
        self._slot.append(item)
        self._given.release()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._wait()
        finally:
            self._over.set()
            self._given.release()
            self._thread.join()
            self._work = _nothing  # it may refer to this object in turn, and would keep an encoder alive until the collector comes by

    def _wait(self) -> None:
        while not self._idle.acquire(timeout=POLL):
            self._waiting()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while self._given.acquire() and self._slot and not self._over.is_set():
            try:
                self._work(self._slot.pop())
            except BaseException as error:  # noqa: BLE001  it is raised where the items come from
                self._error = error
            self._idle.release()
