"""Time and memory, measured so that several ways to do one thing can be compared on a machine that others use too."""
from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timed:
    """The median call of one way: elapsed and processor milliseconds a frame."""

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Way:
    """One way to do the work: a call, and how many frames it makes."""

    call: Callable[[], object]
    frames: int


def side_by_side(ways: Mapping[str, Way], repeat: int) -> dict[str, Timed]:
    """Time every way `repeat` times in turn, after one call to warm up, so that what else the machine does meets all of them."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(repeat + 1):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way.call()
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Timed(*(1e3 * statistics.median(s[i] for s in seconds[name]) / way.frames for i in (0, 1)))
        for name, way in ways.items()
    }


def peak_bytes(call: Callable[[], object]) -> int:
    """Give by how much this process's resident memory peaked above where it stood before the call."""
    _forget_peak()
    before = _status("VmRSS")
    kept = call()
    peak = _status("VmHWM") - before
    del kept
    return peak


def in_new_process(arguments: Sequence[str]) -> dict[str, float]:
    """Run ``python -m benchmarks`` with these arguments and read the one JSON line that it prints last."""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-m", "benchmarks", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"python -m benchmarks {' '.join(arguments)} failed:\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def machine() -> str:
    """Say in a line what was measured on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"{platform.system()} {platform.machine()}, {allowed} processors, load {load:.1f}, Python {platform.python_version()}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set rows of text in columns, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        return "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])

    return "\n".join([line(heads), line(["-" * width for width in widths]), *(line(row) for row in rows)])


def _forget_peak() -> None:
    """Let Linux count the peak of resident memory from here on; elsewhere the peak is the process's own, which is no smaller."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")


def _status(entry: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        import resource  # no such module on Windows, where this benchmark has no memory figures

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    line = next(line for line in status.read_text().splitlines() if line.startswith(entry + ":"))
    return int(line.split()[1]) * 1024
