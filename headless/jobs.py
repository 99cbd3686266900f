"""The jobs of a batch: a video each, the sound that belongs to it, and a record of what is done already."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.video.resume import fingerprint
from ..core.video.source import open_source
from ..core.video.stills import natural_key
from .prompt import ObjectInfo, Prompt, WorkflowError, input_specs, is_link, label

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".m4v", ".avi", ".mpg", ".mpeg", ".ts")
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus")
RECORD = ".talkies_batch.json"


@dataclass(frozen=True)
class Job:
    """One file of a batch. `audio` is the sound file of the same name beside it, if there is one."""

    video: Path
    audio: Path | None = None

    @property
    def name(self) -> str:
        """Give the name that its results are called by."""
        return self.video.stem


@dataclass(frozen=True)
class Done:
    """How a job ended: the files it made, or why it failed."""

    job: Job
    files: tuple[Path, ...] = ()
    error: str = ""
    seconds: float = 0.0
    where: str = ""


def find_jobs(folder: Path) -> tuple[Job, ...]:
    """List the videos of a folder in natural order, each with the sound of the same name.

    Raises:
        WorkflowError: there is none, or two have one name, so that their results would have one.
    """
    if not folder.is_dir():
        raise WorkflowError(f"{folder} is no folder; a folder of videos is wanted.")
    files = sorted((p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")), key=natural_key)
    sounds = {p.stem: p for p in reversed(files) if p.suffix.lower() in AUDIO_SUFFIXES}
    videos = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise WorkflowError(f"{folder} holds no video; {', '.join(VIDEO_SUFFIXES)} are taken.")
    names = [p.stem for p in videos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WorkflowError(f"{folder} holds several videos called {', '.join(twice)}; rename them, since results are called by that name.")
    return tuple(Job(video, sounds.get(video.stem)) for video in videos)


def prompt_for(prompt: Prompt, job: Job, definitions: ObjectInfo) -> Prompt:
    """Give the workflow with its loaders set to a job's files: inputs that take a video its video, those that take sound its sound.

    Raises:
        WorkflowError: nothing in the workflow loads a video, or it loads sound and the job has none.
    """
    changed = {node_id: {**node, "inputs": dict(node["inputs"])} for node_id, node in prompt.items()}
    loads_video = False
    for node_id, node in changed.items():
        for name, (_, _, options) in input_specs(definitions.get(str(node["class_type"]), {})).items():
            if name not in node["inputs"] or is_link(node["inputs"][name]):
                continue
            if options.get("video_upload"):
                node["inputs"][name], loads_video = str(job.video), True
            elif options.get("audio_upload"):
                if job.audio is None:
                    raise WorkflowError(f"{label(changed, node_id)} loads sound, and beside {job.video.name} lies none called {job.name} "
                                        f"({', '.join(AUDIO_SUFFIXES)}).")
                node["inputs"][name] = str(job.audio)
    if not loads_video:
        raise WorkflowError("Nothing in this workflow loads a video, so a batch of videos cannot go through it; begin it with Load Video.")
    return changed


def check_result(path: Path) -> None:
    """Open a result that should be a picture or a video and read its first frame.

    Raises:
        WorkflowError: it cannot be read.
    """
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return
    try:
        with open_source(path) as source:
            next(iter(source.chunks(1)))
    except (ValueError, StopIteration) as error:
        raise WorkflowError(f"the result {path.name} is no whole video ({error}).") from error


def collect(job: Job, made: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Check the files that a job made and move them into the output folder, called after the job.

    Raises:
        WorkflowError: nothing was made, or a result cannot be read.
    """
    if not made:
        raise WorkflowError("the workflow saved nothing; end it with a saver, e.g. Save Video.")
    for path in made:
        check_result(path)
    placed = []
    counts: dict[str, int] = {}
    for path in made:
        number = counts[path.suffix] = counts.get(path.suffix, 0) + 1
        target = folder / f"{job.name}{'' if number == 1 else f'_{number}'}{path.suffix}"
        os.replace(path, target)
        placed.append(target)
    return tuple(placed)


@dataclass
class Record:
    """What a batch has done so far: by job the settings, the inputs' fingerprints and the results. On disk after every job."""

    folder: Path
    workflow: str
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def opened(cls, folder: Path, prompt: Mapping[str, Any]) -> Record:
        """Read the record of an output folder, or begin one.

        Raises:
            WorkflowError: it is there and cannot be read.
        """
        workflow = hashlib.sha256(json.dumps(prompt, sort_keys=True).encode()).hexdigest()
        file = folder / RECORD
        if not file.is_file():
            return cls(folder, workflow)
        try:
            return cls(folder, workflow, dict(json.loads(file.read_text(encoding="utf-8"))["jobs"]))
        except (ValueError, KeyError, TypeError) as error:
            raise WorkflowError(f"{file} cannot be read ({error}); remove it to do everything again.") from error

    def has(self, job: Job) -> bool:
        """Say whether a job is done: same workflow, same inputs, and its results are there unchanged."""
        entry = self.entries.get(job.name)
        return entry is not None and entry["workflow"] == self.workflow and entry["inputs"] == _prints(job) and all(
            (self.folder / name).is_file() and fingerprint(self.folder / name) == print_ for name, print_ in entry["files"].items())

    def add(self, done: Done) -> None:
        """Write down a job that is done."""
        self.entries[done.job.name] = {"workflow": self.workflow, "inputs": _prints(done.job),
                                       "files": {path.name: fingerprint(path) for path in done.files}}
        draft = self.folder / f"{RECORD}.new"
        draft.write_text(json.dumps({"jobs": self.entries}, indent=1), encoding="utf-8")
        os.replace(draft, self.folder / RECORD)


def table(results: Iterable[Done]) -> str:
    """Write one line a job: what it made, or why it failed."""
    rows = list(results)
    width = max((len(done.job.video.name) for done in rows), default=0)
    lines = []
    for done in rows:
        what = f"FAILED  {done.error}" if done.error else f"{done.seconds:7.1f} s  {', '.join(path.name for path in done.files)}"
        lines.append(f"{done.job.video.name:<{width}}  {what}{f'  ({done.where})' if done.where else ''}")
    return "\n".join(lines)


def _prints(job: Job) -> list[str]:
    return [fingerprint(path) for path in (job.video, job.audio) if path is not None]
