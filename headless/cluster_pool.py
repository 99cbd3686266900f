"""A pool of workers on a Ray cluster and a queue of jobs: files travel in blocks, a lost worker's job goes to another."""
from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import cluster_worker
from .cluster_worker import Place, Reply, Worker, versions

_log = logging.getLogger(__name__)

TRIES = 3
"""Workers that may be lost under one job before the run fails: it may be the job that kills them."""

BLOCK = 32 * 2**20
"""Bytes of a file in the object store at a time, for each worker that sends or fetches one."""

POLL = 0.1
"""Seconds between two looks at whether the run was cancelled."""

PATIENCE = 30.0
"""Seconds without any worker after which it is said what is waited for."""

ROOT = Path(__file__).resolve().parents[1]


class ClusterError(RuntimeError):
    """The cluster cannot do it; the message says why and what to do."""


@dataclass(frozen=True)
class Share:
    """What a worker takes of the cluster: processors, graphics processors (a fraction is a share of one), bytes of memory."""

    cpus: float = 1
    gpus: float = 0
    memory: float = 0

    def __str__(self) -> str:
        """Give it in words."""
        gpus = f", {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.cpus:g} CPU{gpus}, {self.memory / 1e9:.1f} GB"


@dataclass(frozen=True, eq=False)
class Task:
    """A job for a worker: `inputs` are files as (absolute path, fingerprint), `job` plain values, `key` whatever the sender calls it by."""

    key: Any
    job: dict[str, Any]
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a task ended: the files fetched, the values, or a failure; where, and in how many seconds."""

    task: Task
    files: tuple[Path, ...] = ()
    values: Any = None
    failure: str = ""
    seconds: float = 0.0
    where: str = ""


@dataclass
class Pool:
    """Runs tasks on workers.

    Attributes:
        ray: the module, connected.
        share: what each worker takes.
        count: how many workers at most.
        work: see `cluster_worker.begin`.
        specification: handed to it on every worker; it travels once a node.
        folder: gets the files that are fetched.
        ended: told of every outcome; what it raises ends the run.
        tick: called ten times a second; may raise to cancel.
        keep: whether input files that had to be sent stay on the node until the run ends.
    """

    ray: Any
    share: Share
    count: int
    work: Callable[[Any], Callable[[Any], Any]]
    specification: Any
    folder: Path
    ended: Callable[[Outcome], None]
    tick: Callable[[], None] = lambda: None
    keep: bool = True
    lost: int = 0
    """Workers lost so far."""
    _waiting: deque[tuple[Task, int]] = field(default_factory=deque)
    _open: int = 0
    _fruitless: int = 0
    _ready: int = 0
    _arriving: set[tuple[str, str]] = field(default_factory=set)
    _actors: list[Any] = field(default_factory=list)

    def run(self, tasks: Sequence[Task]) -> None:
        """Run all tasks; when this returns, each has ended.

        Raises:
            ClusterError: the pack is not on the workers, or in another version; or workers are lost again and again.
        """
        asyncio.run(self._run(tasks))

    async def _run(self, tasks: Sequence[Task]) -> None:
        self._waiting, self._open = deque((task, 1) for task in tasks), len(tasks)
        run = uuid.uuid4().hex[:12]
        self.ray.cloudpickle.register_pickle_by_value(cluster_worker)
        remote = self.ray.remote(num_cpus=self.share.cpus, num_gpus=self.share.gpus, memory=self.share.memory, max_restarts=0,
                                 max_concurrency=2)(Worker)
        work, specification = self.ray.put(self.work), self.ray.put(self.specification)
        threads = max(1, round(self.share.cpus))
        serving: set[asyncio.Task[None]] = set()
        since, told = time.monotonic(), False
        try:
            while self._open:
                while len(serving) < min(self.count, self._open):
                    actor = remote.remote(str(ROOT), run, threads, work, specification)
                    self._actors.append(actor)
                    serving.add(asyncio.create_task(self._serve(actor)))
                ended, _ = await asyncio.wait(serving, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
                    serving.remove(task)
                self.tick()
                if not self._ready and not told and time.monotonic() - since > PATIENCE:
                    told = True
                    _log.warning("Still waiting for a worker: it asks for %s, and no node of the cluster has that free.", self.share)
        finally:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            self._dismiss()
            self.ray.cloudpickle.unregister_pickle_by_value(cluster_worker)

    async def _serve(self, actor: Any) -> None:
        """Give one worker task after the other until all are done, or it is lost."""
        task: Task | None = None
        tries = 0
        try:
            place = self._welcome(Place(**await actor.hello.remote()))
            self._ready += 1
            while self._open:
                if not self._waiting:
                    await asyncio.sleep(POLL / 5)  # a task may come back from a worker that is lost
                    continue
                task, tries = self._waiting.popleft()
                self._end(await self._do(actor, place, task))
                task = None
        except self.ray.exceptions.RayTaskError:
            raise  # an error of the pack itself: the same would come again
        except self.ray.exceptions.RayError as error:
            self._lose(actor, task, tries, error)

    async def _do(self, actor: Any, place: Place, task: Task) -> Outcome:
        started = time.monotonic()
        await self._send(actor, place, task)
        reply = Reply(**await actor.call.remote(task.inputs, task.job, self.keep))
        files = tuple([await self._fetch(actor, path, size) for path, size in reply.files])
        if files:
            await actor.remove.remote([path for path, _ in reply.files])
        return Outcome(task, files, reply.values, reply.failure, time.monotonic() - started, place.name)

    async def _send(self, actor: Any, place: Place, task: Task) -> None:
        """Bring the files that a worker's node lacks; two workers of one node wait for one sending."""
        while missing := await actor.missing.remote(task.inputs):
            path, print_ = task.inputs[missing[0]]
            if (place.machine, print_) in self._arriving:
                await asyncio.sleep(POLL)
                continue
            _log.info("%s does not see %s; it is sent.", place.machine, path)
            self._arriving.add((place.machine, print_))
            try:
                size = Path(path).stat().st_size
                with open(path, "rb") as file:
                    for offset in range(0, max(size, 1), BLOCK):
                        await actor.write.remote(path, print_, offset, file.read(BLOCK), offset + BLOCK >= size)
            finally:
                self._arriving.discard((place.machine, print_))

    async def _fetch(self, actor: Any, path: str, size: int) -> Path:
        """Bring a file that a worker made; it lies in a folder of its own, since another worker's may have the same name."""
        target = self.folder / uuid.uuid4().hex[:12] / Path(path).name
        target.parent.mkdir(parents=True)
        with target.open("wb") as file:
            for offset in range(0, size, BLOCK):
                file.write(await actor.read.remote(path, offset, BLOCK))
        return target

    def _welcome(self, place: Place) -> Place:
        """Check a worker's versions.

        Raises:
            ClusterError: it could not load the pack, or its libraries would make other bits.
        """
        if place.failure:
            raise ClusterError(f"The worker on {place.name} could not start: {place.failure}")
        _log.info("%s is ready.", place.name)
        own = versions(ROOT)
        other = [f"{name} {place.versions.get(name)} (here {own[name]})" for name in own if own[name] != place.versions.get(name)]
        if other:
            raise ClusterError(f"The worker on {place.name} has {', '.join(other)}; results would differ. Install the same on every node.")
        return place

    def _end(self, outcome: Outcome) -> None:
        self._fruitless = 0
        self._open -= 1
        self.ended(outcome)

    def _lose(self, actor: Any, task: Task | None, tries: int, error: Exception) -> None:
        """Put the task of a lost worker back in front; one that took too many with it has failed.

        Raises:
            ClusterError: none survives its start.
        """
        self.lost += 1
        self._fruitless += 1
        self._actors.remove(actor)
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        _log.warning("A worker was lost%s: %s", "" if task is None else f" in its work (try {tries} of {TRIES})", reason)
        if self._fruitless > TRIES * self.count:
            raise ClusterError(f"{self._fruitless} workers were lost in a row, the last one so: {reason}") from error
        if task is not None and tries >= TRIES:
            self._end(Outcome(task, failure=f"{tries} workers were lost under it, the last one so: {reason} Give each more memory "
                                            "(--worker-memory), or look into Ray's logs."))
        elif task is not None:
            self._waiting.appendleft((task, tries + 1))

    def _dismiss(self) -> None:
        """End every worker, also one at work, and remove what the run left on the nodes."""
        leaving = [actor.leave.remote() for actor in self._actors]
        if leaving:
            self.ray.wait(leaving, num_returns=len(leaving), timeout=2)
        for actor in self._actors:
            self.ray.kill(actor)
        self._actors.clear()
