"""The side of the pack that talks to the package's process: starts it, waits, cancels, and tells what went wrong."""
from __future__ import annotations

import importlib.util
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from ...arrays import Frame, as_float32, contiguous
from ...progress import Progress

PUBLISHED = {"fast": "lc", "balanced": "np", "quality": "np", "refilter": "np"}
"""What runs for profiles that the package has not, or (refilter) that fail in it at every size."""

_LEAST = 16  # px; the package crashes the whole process on frames of the size of a block, 8 or 11 px
_START = 120.0  # seconds for the process to start and import
_POLL = 0.1  # seconds between two cancel checks


class PackageError(RuntimeError):
    """The package is missing, failed, crashed or took too long; the message says which and what to do."""


def installed() -> bool:
    """Say whether the package is there."""
    return importlib.util.find_spec("bm3d") is not None


def ran(profile: str) -> str:
    """Give the package's profile that runs for one that was asked for."""
    return PUBLISHED.get(profile, profile)


def patience(frame: Frame) -> float:
    """Give the seconds after which a frame ``[H,W,C]`` is given up: some twenty times what one core needs."""
    return 120.0 + 1.5e-3 * frame.size


class PackageProcess:
    """A running process of the package; one frame at a time. A context manager: leaving it ends the process."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-s", str(Path(__file__).with_name("worker.py")))) -> None:
        """Start it.

        Args:
            command: what to run (tests run something else).

        Raises:
            PackageError: the package is not installed, or does not import.
        """
        if not installed():
            raise PackageError("The engine bm3d needs the package of that name, which is not installed. Install it with `pip install bm3d` "
                               "(its licence allows non-commercial use only), or set engine to talkies.")
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process does; `close` closes it
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
        self._replies: queue.Queue[tuple[dict[str, Any], bytes] | None] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, name="talkies-bm3d", daemon=True)
        self._listener.start()
        self._ready = False

    def __enter__(self) -> PackageProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is at."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(OSError):  # what was left unwritten has nobody to read it
                self._process.stdin.close()
        self._listener.join()
        self._complaints.close()

    def denoise(
        self, frame: Frame, levels: tuple[float, float], profile: str, stage: str, space: str, progress: Progress, done: int, total: int,
    ) -> Frame:
        """Denoise one frame.

        Args:
            frame: ``[H,W,C]``, C = 1 or 3, finite; small ones are mirrored up to a size that the package survives.
            levels: standard deviation of the noise in luma (or gray) and in chroma, steps of 255; 0 leaves that alone.
            profile: one of the package's: np, lc, high, vn, vn_old.
            stage: all, or hard.
            space: opponent, or ycbcr.
            progress: called several times a second; may raise to cancel, which ends the process.
            done: what `progress` is told: frames before this one.
            total: and of how many.

        Raises:
            PackageError: the package failed, crashed, took too long, or gave values that are no numbers.
        """
        height, width, _ = frame.shape
        rows, columns = (max(0, _LEAST - n) for n in (height, width))
        whole = np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="symmetric") if rows or columns else frame
        limit = patience(whole)
        try:
            if not self._ready:
                self._answer(_START, progress, done, total)
                self._ready = True
            request = {"shape": whole.shape, "levels": [level / 255 for level in levels], "profile": profile, "stage": stage,
                       "space": space}
            self._send(json.dumps(request).encode() + b"\n" + contiguous(whole).astype("<f4").tobytes())
            header, body = self._answer(limit, progress, done, total)
        except BaseException:
            self.close()
            raise
        made = np.frombuffer(body, "<f4").reshape(header["shape"])[:height, :width]
        if not np.isfinite(made).all():
            raise PackageError(f"The engine bm3d gave values that are no numbers for a frame of {width}x{height} px. "
                               "Set engine to talkies.")
        return as_float32(made)

    def _send(self, message: bytes) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            stream.write(message)
            stream.flush()
        except OSError:  # it died; waiting for the answer tells how
            return

    def _answer(self, limit: float, progress: Progress, done: int, total: int) -> tuple[dict[str, Any], bytes]:
        started = time.monotonic()
        while True:
            progress(done, total)
            try:
                reply = self._replies.get(timeout=_POLL)
            except queue.Empty:
                if time.monotonic() - started > limit:
                    raise PackageError(f"The engine bm3d was not done within {limit:.0f} s and was ended. Use smaller frames, profile lc, "
                                       "or set engine to talkies.") from None
                continue
            if reply is None:
                raise PackageError(f"The engine bm3d crashed (exit status {self._process.wait()}). {self._last_words()}"
                                   "Set engine to talkies.")
            if "error" in reply[0]:
                raise PackageError(f"The engine bm3d failed: {reply[0]['error']}. Set engine to talkies.")
            return reply

    def _listen(self) -> None:
        """Read replies until the process ends; None says that it has."""
        stream = self._process.stdout
        assert stream is not None
        with stream:
            while line := stream.readline():
                header = json.loads(line)
                wanted = 4 * int(np.prod(header["shape"])) if "shape" in header else 0
                body = stream.read(wanted) if wanted else b""
                if len(body) < wanted:
                    break
                self._replies.put((header, body))
        self._replies.put(None)

    def _last_words(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return f"Its last words: {lines[-1][:200]}. " if lines else ""
