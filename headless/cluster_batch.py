"""``talkies batch --engine ray``: the files of a batch on many machines, a file a job."""
from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core.video.resume import fingerprint
from .cluster import connected, room, share_of
from .cluster_pool import Outcome, Pool, Task
from .cluster_worker import Made, begin
from .here import run_job
from .jobs import Done, Job, collect
from .workflow import load_workflow

A_WORKFLOW = 3.0e9
"""Bytes that a worker asks for beside the program when nobody says: what a workflow needs is not known before it runs."""


def on_cluster(jobs: Sequence[Job], options: argparse.Namespace, work: Path, tell: Callable[[Done], None]) -> None:
    """Run jobs on a Ray cluster; one that fails does not stop the rest.

    Args:
        jobs: what is to be done.
        options: of the command.
        work: gets the files that are fetched, before they are checked and moved to the output folder.
        tell: told of every job that ended.

    Raises:
        ClusterError: the cluster cannot do it.
    """
    if not jobs:
        return

    def ended(outcome: Outcome) -> None:
        job: Job = outcome.task.key
        files: tuple[Path, ...] = ()
        failure = outcome.failure
        try:
            if not failure:
                files = collect(job, outcome.files, options.output)
        except (ValueError, OSError) as error:
            failure = str(error)
        tell(Done(job, files, failure, outcome.seconds, outcome.where))

    tasks = []
    for job in jobs:
        paths = [path.resolve() for path in (job.video, job.audio) if path is not None]
        tasks.append(Task(job, {}, tuple((str(path), fingerprint(path)) for path in paths)))
    with connected(options.address) as ray:
        share = share_of(options, ray, A_WORKFLOW, uses_gpu=True)
        specification = {"workflow": load_workflow(options.workflow), "set": list(options.overrides)}
        count = min(len(tasks), options.workers or room(ray, share))
        Pool(ray, share, count, begin("cluster_batch", "Workflow"), specification, work, ended, keep=False).run(tasks)


class Workflow:
    """Runs a workflow on a worker, video by video."""

    def __init__(self, specification: dict[str, Any]) -> None:
        """Take what `on_cluster` specified."""
        self._folder = tempfile.TemporaryDirectory(prefix="talkies-batch-")
        self._workflow = Path(self._folder.name) / "workflow.json"
        self._workflow.write_text(json.dumps(specification["workflow"]), encoding="utf-8")
        self._overrides: list[str] = specification["set"]

    def __call__(self, job: dict[str, Any]) -> Made:
        """Run it on a job's video, and sound where there is one."""
        video, *sound = job["inputs"]
        folder = Path(self._folder.name) / "job"
        shutil.rmtree(folder, ignore_errors=True)
        return Made(tuple(run_job(Job(video, sound[0] if sound else None), self._workflow, self._overrides, video.parent, folder)))
