"""Many machines: how the work of a Ray cluster grows with its workers, and what Ray costs beside the work itself."""
from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from talkies.core.catalogue import operation_from_json
from talkies.core.video.clip import Chunk
from talkies.core.video.encoding import Encoding
from talkies.core.video.resume import fingerprint
from talkies.core.video.segments import render_segment, segments_of
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource
from talkies.headless.cluster import connected
from talkies.headless.cluster_pool import Outcome, Pool, Share, Task
from talkies.headless.cluster_worker import Made, begin

from .pictures import clip
from .timing import machine, table

_ALONE = "TALKIES_BENCHMARK_ALONE"
_CHAIN = {"op": "chain", "operations": [{"op": "sharpen", "mode": "adaptive"}, {"op": "frameadjust", "gamma": 1.1}]}


def main(arguments: list[str]) -> dict[str, Any]:
    """Print the tables, and give their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8], help="sizes of the simulated cluster; default 1 2 4 8")
    parser.add_argument("--naps", type=float, nargs="+", default=[0.25, 1.0, 4.0], help="seconds of a piece of work; default 0.25 1 4")
    parser.add_argument("--jobs", type=int, default=6, help="pieces of work a worker; default 6")
    parser.add_argument("--segments", type=int, default=6, help="segments that two local workers render; default 6, 0 for none")
    parser.add_argument("--size", default="640x360", help="of their frames; default 640x360")
    parser.add_argument("--here", action="store_true", help="run in this network even so: Ray listens on every interface meanwhile")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    if not options.here and _ALONE not in os.environ:
        return _alone(arguments)
    print(f"Ray, {machine()}\n", flush=True)
    figures: dict[str, Any] = {}
    if options.segments:
        with connected("local") as ray:
            figures["local"] = _local(ray, options.segments, options.size)
    figures["simulated"] = _simulated(options.workers, options.naps, options.jobs)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def _alone(arguments: list[str]) -> dict[str, Any]:
    """Run it again where there is nothing but loopback."""
    if not (sys.platform.startswith("linux") and os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip")):
        raise SystemExit("Ray listens on every network interface. Run this as root on Linux with unshare and ip installed, so that it gets "
                         "a network of its own, or say --here if everybody in this network may run programs on this machine.")
    inner = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    again = [*inner, sys.executable, "-m", "benchmarks", "scale", *arguments]
    status = subprocess.run(again, env={**os.environ, _ALONE: "1"}, check=False).returncode
    if status:
        raise SystemExit(status)
    return {}


def _simulated(sizes: list[int], naps: list[float], jobs: int) -> dict[str, dict[str, float]]:
    """Let workers nap: the nap stands for work that another machine's processor does, which this machine has not."""
    figures: dict[str, dict[str, float]] = {}
    for count in sizes:
        with connected_with(count) as ray, tempfile.TemporaryDirectory() as folder:
            ends: dict[tuple[float, str], list[float]] = {}
            starting = time.monotonic()

            def ended(outcome: Outcome, ends: dict[tuple[float, str], list[float]] = ends) -> None:
                ends.setdefault((outcome.task.key, outcome.where), []).append(time.monotonic())
                for path in outcome.files:
                    path.unlink()

            tasks = [Task(nap, {"seconds": nap}) for nap in naps for _ in range(jobs * count)]
            Pool(ray, Share(1), count, napping(), 4 * 2**20, Path(folder), ended).run(tasks)
            row = {}
            for nap in naps:
                series = [times for (key, _), times in ends.items() if key == nap and len(times) > 1]
                done, spent = sum(len(times) - 1 for times in series), sum(times[-1] - times[0] for times in series)
                row[f"{nap:g} s"] = count * nap * done / spent
            row["start"] = min(min(times) for times in ends.values()) - starting
            figures[str(count)] = row
    rows = [[count, *(f"{row[f'{nap:g} s']:.2f}" for nap in naps), f"{row['start']:.0f} s"] for count, row in figures.items()]
    print(table(["workers", *(f"{nap:g} s" for nap in naps), "start"], rows))
    print("How many times the work of one worker without any overhead is done, by the length of a piece. Simulated: a piece is a nap\n"
          "that stands for what the processor of another machine would do, and 4 MiB that come back as a file. Start: until the first\n"
          "piece was done, all workers starting at once on the processors of this one machine; it is not in the other figures.", flush=True)
    return figures


def napping() -> Callable[[int], Callable[[dict[str, Any]], Made]]:
    """Give work that sleeps and makes a file of so many bytes. Nested, so that it travels as code."""

    def work(size: int) -> Callable[[dict[str, Any]], Made]:
        folder = tempfile.mkdtemp(prefix="talkies-nap-")

        def nap(job: dict[str, Any]) -> Made:
            time.sleep(job["seconds"])
            path = Path(folder) / "piece"
            path.write_bytes(bytes(size))
            return Made((path,))

        return nap

    return work


def connected_with(cpus: int) -> Any:
    """Start a cluster on this machine that believes it has so many processors."""
    import ray

    ray.init(address="local", num_cpus=cpus, log_to_driver=False, include_dashboard=False, logging_level="ERROR")
    return _Ended(ray)


class _Ended:
    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def __enter__(self) -> Any:
        return self._ray

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()


def timed() -> Callable[[Any], Callable[[dict[str, Any]], Made]]:
    """Give the work of `talkies render --engine ray`, with the seconds and processor seconds it takes as its values."""
    pieces = begin("cluster_render", "Pieces")

    def work(specification: Any) -> Callable[[dict[str, Any]], Made]:
        call = pieces(specification)

        def piece(job: dict[str, Any]) -> Made:
            started, cpu = time.perf_counter(), time.process_time()
            made = call(job)
            return Made(made.files, (time.perf_counter() - started, time.process_time() - cpu))

        return piece

    return work


def _local(ray: Any, count: int, size: str) -> dict[str, float]:
    """Render segments on two workers here, and say what of the time is not rendering."""
    width, height = (int(side) for side in size.split("x"))
    length = 100
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "in.mp4"
        pictures = clip(10, width, height)
        with create_sink(path, BatchSource(pictures, 25).info, Encoding(speed="fast")) as sink:
            for turn in range(count * length // 10):
                sink.write(Chunk(10 * turn, pictures, tuple(range(10 * turn, 10 * turn + 10))))
        segments = segments_of(count * length, length)
        outcomes: list[Outcome] = []
        specification = {"operation": _CHAIN, "encoding": {"codec": "h264"}, "size": 16, "suffix": ".mp4"}
        inputs = ((str(path), fingerprint(path)),)
        tasks = [Task(s, {"segment": (s.index, s.start, s.stop)}, inputs) for s in segments]
        started = time.perf_counter()
        Pool(ray, Share(1, 0, 1e9), 2, timed(), specification, folder / "ray", outcomes.append).run(tasks)
        wall = time.perf_counter() - started
        failed = [outcome.failure for outcome in outcomes if outcome.failure]
        if failed:
            raise RuntimeError(failed[0])
        alone = []
        with FileSource(path) as source:
            for segment in segments:
                start, cpu = time.perf_counter(), time.process_time()
                render_segment(source, operation_from_json(_CHAIN), segment, folder / "piece.mp4", Encoding(), 16)
                alone.append((time.perf_counter() - start, time.process_time() - cpu))
        made = {o.task.key.index: o.files[0].read_bytes() for o in outcomes}
        same = made[len(segments) - 1] == (folder / "piece.mp4").read_bytes()
    work, all_ = sum(o.values[0] for o in outcomes), sum(o.seconds for o in outcomes)
    figures = {"overhead, %": 100 * (all_ - work) / work,
               "of the worst segment, %": 100 * max((o.seconds - o.values[0]) / o.values[0] for o in outcomes),
               "seconds a segment": statistics.median(o.values[0] for o in outcomes),
               "processor seconds a segment": statistics.median(o.values[1] for o in outcomes),
               "processor seconds a segment, one process": statistics.median(cpu for _, cpu in alone),
               "two workers, s": all_ / 2, "with their start, s": wall, "one process, s": sum(seconds for seconds, _ in alone),
               "same bits": float(same)}
    print(table(["two local workers", ""], [[name, f"{value:.2f}"] for name, value in figures.items()]))
    print(f"{count} segments of {length} frames of {size} through Sharpen (adaptive) and Frame Adjust into H.264, one processor a worker.\n"
          "Overhead: what passes between handing out a segment and having its file, less the time in which the worker renders it.\n"
          "One process: the same segments with every processor, without Ray, after that.\n", flush=True)
    return figures
