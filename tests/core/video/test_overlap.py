"""Reading ahead and writing behind: in order, one item apart, errors and cancels where they belong, no thread left."""
from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from talkies.core.video.overlap import Behind, ahead


def left_over() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("talkies-read", "talkies-write"))]


def wait_for(condition) -> None:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    assert condition()


def test_all_items_in_order():
    assert list(ahead(range(50))) == list(range(50)) and list(ahead(())) == []
    assert not left_over()


def test_one_item_is_made_while_another_is_worked_on_and_no_more():
    made = []

    def items():
        for i in range(9):
            made.append(i)
            yield i

    walk = ahead(items())
    assert next(walk) == 0
    wait_for(lambda: made == [0, 1])
    time.sleep(0.05)
    assert made == [0, 1]
    walk.close()
    assert not left_over()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken file")

    walk = ahead(items())
    assert next(walk) == 1
    with pytest.raises(ValueError, match="broken file"):
        next(walk)
    assert not left_over()


def test_an_abandoned_source_is_closed():
    closed = []

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    walk = ahead(items())
    next(walk)
    walk.close()
    assert closed == [True] and not left_over()


def test_work_is_done_in_order_on_another_thread():
    done = []
    with Behind(lambda item: done.append((item, threading.current_thread().name))) as behind:
        for i in range(20):
            behind(i)
    assert done == [(i, "talkies-write") for i in range(20)] and not left_over()


def test_a_failing_writer_stops_the_block():
    def work(item):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), Behind(work) as behind:
        for i in range(5):
            behind(i)
            time.sleep(0.01)
    with pytest.raises(OSError, match="disk full"), Behind(work) as behind:
        behind(1)
    assert not left_over()


def test_a_cancel_is_noticed_while_the_writer_works():
    begun, seen = threading.Event(), []

    def work(item):
        begun.set()
        while not behind.cancelled:
            time.sleep(0.005)
        seen.append(item)

    def waiting():
        if begun.is_set():
            raise KeyboardInterrupt

    behind = Behind(work, waiting)
    with pytest.raises(KeyboardInterrupt), behind:
        behind(1)
        behind(2)
    assert seen == [1] and not left_over()


def test_what_the_work_holds_goes_with_the_block():
    """An encoder that waits for the garbage collector would be one for each segment of a long clip."""

    class Encoder:
        pass

    def used():
        encoder = Encoder()

        def work(item):
            assert encoder and not behind.cancelled

        with Behind(work) as behind:
            behind(1)
        return weakref.ref(encoder)

    gc.disable()
    try:
        assert used()() is None
    finally:
        gc.enable()
