"""What runs on a worker of a cluster. It imports only the standard library at its top and is sent as code: the pack is found over there."""
from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import shutil
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PACK = "talkies"
"""The name that the pack has on a worker."""

_LIBRARIES = ("av", "cv2", "numpy", "torch")


@dataclass(frozen=True)
class Made:
    """What a piece of work made: files on the worker, and plain values."""

    files: tuple[Path, ...]
    values: Any = None


@dataclass(frozen=True)
class Reply:
    """What a worker answers: `Made` with the files' sizes, or why it failed."""

    files: tuple[tuple[str, int], ...] = ()
    values: Any = None
    failure: str = ""


@dataclass(frozen=True)
class Place:
    """A worker as it introduces itself: its name, the machine it is on, and the versions that decide about the bits it makes."""

    name: str
    machine: str
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


def load_pack(root: str) -> None:
    """Import the pack: from the folder that the sender has it in, where that is here too, else as it is installed.

    Raises:
        ImportError: neither is there.
    """
    if PACK in sys.modules:
        return
    init = Path(root) / "__init__.py"
    if init.is_file():
        spec = importlib.util.spec_from_file_location(PACK, init, submodule_search_locations=[root])
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACK] = module
        spec.loader.exec_module(module)
        return
    try:
        importlib.import_module(PACK)
    except ModuleNotFoundError as error:
        if error.name != PACK:
            raise
        host = socket.gethostname()
        raise ImportError(f"{root} is not on {host}, and {PACK} is not installed there; install it on every node.") from error


def versions(root: str | Path) -> dict[str, str]:
    """Give the versions of the libraries that make pixels and files, and a hash of the pack's own source."""
    root = Path(root)
    digest = hashlib.sha256()
    for room in ("core", "host", "headless", "nodes"):
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    found = {name: str(importlib.import_module(name).__version__).split("+")[0] for name in _LIBRARIES}
    return {PACK: digest.hexdigest()[:12], **found}


def begin(module: str, name: str) -> Callable[[Any], Callable[[Any], Made]]:
    """Name a class of this room whose instances do the work: made from a specification, once a worker, then called job by job."""

    def made(specification: Any) -> Callable[[Any], Made]:
        work: Callable[[Any], Made] = getattr(importlib.import_module(f"{PACK}.headless.{module}"), name)(specification)
        return work

    return made


class Worker:
    """One process of the cluster: loads the pack once, keeps what its work keeps (models), does one job after the other."""

    def __init__(
        self, root: str, run: str, threads: int, work: Callable[[Any], Callable[[Any], Made]] | None, specification: Any
    ) -> None:
        """Load the pack and prepare; a failure is told by `hello`, since an actor that raises here is started again and again.

        Args:
            root: the pack's folder at the sender.
            run: a name of this run of the program; files sent here lie in a folder of that name.
            threads: processors this worker may use.
            work: makes the work from its specification.
            specification: plain values.
        """
        self._folder = Path(tempfile.gettempdir()) / f"talkies-{run}"
        self._begin, self._specification = work, specification
        self._work: Callable[[Any], Made] | None = None
        self._failure, self._versions = "", {}
        try:
            load_pack(root)
            parallel: Any = importlib.import_module(f"{PACK}.core.parallel")
            parallel.limit_workers(threads)
            importlib.import_module("torch").set_num_threads(threads)
            self._versions = versions(Path(str(sys.modules[PACK].__file__)).parent)
        except Exception as error:  # noqa: BLE001  told by `hello`
            self._failure = f"{type(error).__name__}: {error}"

    def hello(self) -> dict[str, Any]:
        """Introduce this worker: the entries of `Place`."""
        host = socket.gethostname()
        return asdict(Place(f"{host}, process {os.getpid()}", host, self._versions, self._failure))

    def missing(self, inputs: Sequence[tuple[str, str]]) -> list[int]:
        """Say which files (path, fingerprint) are not here, neither in their place nor sent before."""
        return [i for i, (path, print_) in enumerate(inputs) if self._here(path, print_) is None]

    def write(self, path: str, print_: str, offset: int, block: bytes, last: bool) -> None:
        """Take a block of a file; with the last one it is there."""
        target = self._sent(path, print_)
        draft = target.with_name(target.name + ".part")
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(block)
        if last:
            os.replace(draft, target)

    def call(self, inputs: Sequence[tuple[str, str]], job: Mapping[str, Any], keep: bool) -> dict[str, Any]:
        """Do a job and give the entries of a `Reply`.

        Args:
            inputs: the files it needs, which are here.
            job: plain values; gets a ``"inputs"`` entry, where the files are here.
            keep: whether files that were sent here stay for further jobs.
        """
        try:
            if self._work is None:
                assert self._begin is not None
                self._work = self._begin(self._specification)
            paths = [self._here(path, print_) for path, print_ in inputs]
            made = self._work({**job, "inputs": paths})
            return asdict(Reply(tuple((str(path), path.stat().st_size) for path in made.files), made.values))
        except Exception as error:  # noqa: BLE001  told to the sender, who has not every class of exception that may be raised here
            foreseen = isinstance(error, (ValueError, OSError, RuntimeError)) and str(error)
            return asdict(Reply(failure=str(error) if foreseen else traceback.format_exc()))
        finally:
            if not keep:
                for path, print_ in inputs:
                    shutil.rmtree(self._sent(path, print_).parent, ignore_errors=True)

    def read(self, path: str, offset: int, count: int) -> bytes:
        """Give a block of a file that a job made."""
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(count)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files that a job made and that were fetched."""
        for path in paths:
            Path(path).unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove all that this run left on the machine."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sent(self, path: str, print_: str) -> Path:
        return self._folder / print_[:32] / Path(path).name

    def _here(self, path: str, print_: str) -> Path | None:
        resume: Any = importlib.import_module(f"{PACK}.core.video.resume")
        for place in (Path(path), self._sent(path, print_)):
            try:
                if resume.fingerprint(place) == print_:
                    return place
            except OSError:
                continue  # it is not there, or not to be read: then it is sent
        return None
