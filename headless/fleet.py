"""Several ComfyUI servers and a queue of jobs: each job goes to the free server with the shortest queue; a dead server's job to another."""
from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .client import ComfyClient
from .jobs import Done, Job, prompt_for
from .prompt import Hooks, ServerGoneError, WorkflowError

log = logging.getLogger(__name__)

TRIES = 3
"""Servers that may die under one job before it counts as failed: it may be the job that kills them."""

PATIENCE = 20.0

REVIVAL = 10.0
"""Seconds between two looks at whether a dead server is back."""

Prepare = Callable[[Any], tuple[Any, dict[str, Any] | None]]
"""Makes the workflow in API format (and what savers store) from a server's node definitions."""

Finished = Callable[[Job, list[Path]], Done]
"""Checks and places what a job made."""


class Fleet:
    """Runs jobs on servers, one of ours at a time on each."""

    def __init__(self, urls: Sequence[str], prepare: Prepare, folder: Path, finished: Finished, tell: Callable[[Done], None],
                 headers: Mapping[str, str] | None = None, patience: float | None = None) -> None:
        """Take the servers and what to do.

        Args:
            urls: the servers.
            prepare: see `Prepare`; called once a server.
            folder: gets the files that are fetched, before `finished` places them.
            finished: see `Finished`; what it raises fails the job.
            tell: told of every job that ended.
            headers: sent with every request.
            patience: seconds that a server may be out of reach before its job is given to another; `PATIENCE` when not given.
        """
        self._urls, self._prepare, self._folder, self._finished, self._tell = list(dict.fromkeys(urls)), prepare, folder, finished, tell
        self._headers, self._patience = headers, PATIENCE if patience is None else patience
        self._waiting: list[tuple[Job, int]] = []
        self.results: list[Done] = []
        self._idle: set[str] = set()
        self._dead: dict[str, str] = {}

    async def run(self, jobs: Sequence[Job]) -> list[Done]:
        """Run all jobs; one that fails does not stop the rest.

        Raises:
            WorkflowError: no server is left, and none came back; jobs that ended before are kept.
        """
        self._waiting = [(job, 1) for job in reversed(jobs)]
        self._idle = set(self._urls)
        running: set[asyncio.Task[None]] = set()
        try:
            while self._waiting or running:
                while self._waiting and (url := await self._shortest()):
                    self._idle.discard(url)
                    running.add(asyncio.create_task(self._work(url, *self._waiting.pop())))
                if not running and self._waiting:
                    reasons = " ".join(self._dead.values())
                    raise WorkflowError(f"No server is left for {len(self._waiting)} jobs. {reasons} Run it again to do the rest.")
                ended, running = await asyncio.wait(running, timeout=REVIVAL, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
                await self._revive()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return self.results

    async def _shortest(self) -> str | None:
        """Give the idle server with the shortest queue; those that do not answer are dead from now on."""
        lengths: dict[str, int] = {}
        for url in sorted(self._idle):
            try:
                async with self._client(url, 5) as client:
                    lengths[url] = await client.waiting()
            except WorkflowError as error:
                self._bury(url, error)
        return min(lengths, key=lambda url: lengths[url], default=None)

    async def _work(self, url: str, job: Job, tries: int) -> None:
        started = time.monotonic()
        try:
            async with self._client(url, self._patience) as client:
                definitions = await client.object_info()
                prompt, extra = self._prepare(definitions)
                _, files = await client.run(prompt_for(prompt, job, definitions), self._folder, object_info=definitions, hooks=Hooks(),
                                            extra_pnginfo=extra, kinds=("output",))
            done = self._finished(job, files)
            self._end(Done(job, done.files, "", time.monotonic() - started, url))
        except ServerGoneError as error:
            self._bury(url, error)
            if tries >= TRIES:
                self._end(Done(job, (), f"{tries} servers went away under it, the last one: {error}", time.monotonic() - started, url))
            else:
                log.warning("%s goes to another server: %s", job.video.name, error)
                self._waiting.append((job, tries + 1))
            return
        except (WorkflowError, ValueError, OSError) as error:
            self._end(Done(job, (), str(error), time.monotonic() - started, url))
        self._idle.add(url)

    def _end(self, done: Done) -> None:
        self.results.append(done)
        self._tell(done)

    def _bury(self, url: str, error: Exception) -> None:
        self._idle.discard(url)
        self._dead[url] = str(error)
        log.warning("%s is left out until it answers again: %s", url, error)

    async def _revive(self) -> None:
        for url in list(self._dead):
            try:
                async with self._client(url, 2) as client:
                    await client.waiting()
            except WorkflowError:
                continue  # it is still gone; the next look comes
            log.warning("%s answers again.", url)
            del self._dead[url]
            self._idle.add(url)

    def _client(self, url: str, timeout: float) -> ComfyClient:
        return ComfyClient(url, headers=self._headers, timeout=timeout, patience=self._patience)
