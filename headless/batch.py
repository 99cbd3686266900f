"""``talkies batch IN_DIR OUT_DIR --workflow W.json``: a folder of videos through one workflow, here or on ComfyUI servers."""
from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .cluster import add_options
from .cluster_batch import on_cluster
from .fleet import Fleet
from .here import run_job
from .jobs import Done, Job, Record, collect, find_jobs, table
from .prompt import WorkflowError
from .run import prepare
from .workflow import load_workflow


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("batch", help="run a folder of videos through a workflow; what is done already is not done again")
    parser.add_argument("input", type=Path, metavar="IN_DIR",
                        help="videos, each with a sound file of the same name where the workflow loads sound")
    parser.add_argument("output", type=Path, metavar="OUT_DIR", help="gets the results, called like the videos")
    parser.add_argument("--workflow", type=Path, required=True, metavar="W.json",
                        help="a workflow of either format that begins with Load Video")
    parser.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE", dest="overrides",
                        help="set an input, as in `run`")
    parser.add_argument("--server", action="append", default=[], metavar="URL",
                        help="run them on this ComfyUI server; of several, each job goes to the one with the shortest queue, and to "
                             "another one when it dies")
    parser.add_argument("--again", action="store_true", help="do everything again")
    add_options(parser)
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command; the exit status is 1 when any job failed."""
    if options.server and options.engine == "ray":
        raise WorkflowError("--server and --engine ray are two ways to many machines; leave one of them out.")
    jobs = find_jobs(options.input)
    options.output.mkdir(parents=True, exist_ok=True)
    record = Record.opened(options.output, {"workflow": load_workflow(options.workflow), "set": options.overrides})
    missing = [job for job in jobs if options.again or not record.has(job)]
    if len(missing) < len(jobs):
        print(f"{len(jobs) - len(missing)} of {len(jobs)} are done already.", flush=True)
    started = time.monotonic()
    results: list[Done] = []

    def tell(done: Done) -> None:
        if not done.error:
            record.add(done)
        results.append(done)
        print(f"[{len(results)}/{len(missing)}] {table([done])}", flush=True)

    with tempfile.TemporaryDirectory(prefix=".talkies-", dir=options.output) as work:
        if options.server:
            _on_servers(missing, options, Path(work), tell)
        elif options.engine == "ray":
            on_cluster(missing, options, Path(work), tell)
        else:
            _here(missing, options, Path(work), tell)
    failed = [done for done in results if done.error]
    order = {job: place for place, job in enumerate(jobs)}
    print(f"\n{table(sorted(results, key=lambda done: order[done.job]))}\n\n{len(results) - len(failed)} done, {len(failed)} failed, "
          f"{len(jobs) - len(missing)} were there, in {time.monotonic() - started:.1f} s", flush=True)
    return 1 if failed else 0


def _here(jobs: Sequence[Job], options: argparse.Namespace, work: Path, tell: Callable[[Done], None]) -> None:
    """Run jobs one after the other in this process."""
    for number, job in enumerate(jobs):
        started = time.monotonic()
        folder = work / str(number)
        try:
            made = run_job(job, options.workflow, options.overrides, options.input, folder)
            done = Done(job, collect(job, made, options.output), "", time.monotonic() - started)
        except Exception as error:  # noqa: BLE001  one bad file does not stop the rest; the table and the exit status tell of it
            done = Done(job, (), str(error) or type(error).__name__, time.monotonic() - started)
        tell(done)
        shutil.rmtree(folder, ignore_errors=True)


def _on_servers(jobs: Sequence[Job], options: argparse.Namespace, work: Path, tell: Callable[[Done], None]) -> None:
    fleet = Fleet(options.server, lambda definitions: prepare(options.workflow, definitions, options.overrides), work,
                  lambda job, files: Done(job, collect(job, files, options.output)), tell)
    try:
        asyncio.run(fleet.run(jobs))
    except WorkflowError as error:
        print(f"talkies: {error}", file=sys.stderr, flush=True)
        ended = {done.job for done in fleet.results}
        for job in jobs:
            if job not in ended:
                tell(Done(job, (), "no server was left for it"))
