#!/usr/bin/env python3
"""The two commands of the README; needs nothing but Python 3.10 or newer.

    python quickstart.py demo    make a short talking clip, restore it with an example workflow, say where everything is
    python quickstart.py test    run the tests

Each makes its own .venv beside this file, installs what it needs (the first time takes minutes, mostly for torch) and runs.
Both can be run again; what is installed already is not installed twice.
"""
from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


class SetupError(Exception):
    """Something is missing; the message says what to do."""


def say(text: str) -> None:
    """Print a step."""
    print(f"[talkies] {text}", flush=True)


def run(*command: object, **options: object) -> int:
    """Run a command with its output shown; give its exit status."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, **options).returncode  # type: ignore[call-overload,no-any-return]


def make_environment() -> None:
    """Make .venv, unless it is there and works."""
    if PYTHON.exists() and run(PYTHON, "-m", "pip", "--version", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
        return
    say(f"making {VENV} with Python {platform.python_version()}")
    if run(sys.executable, "-m", "venv", "--clear", VENV) != 0:
        raise SetupError("Python could not make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv. "
                         "Then run this again.")


def install(extra: str) -> None:
    """Install the pack into .venv with an extra, unless just that was installed before."""
    wanted = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        wanted.update((ROOT / name).read_bytes())
    stamp = VENV / f"talkies-{extra or 'plain'}.installed"
    if stamp.is_file() and stamp.read_text() == wanted.hexdigest():
        say("everything is installed already")
        return
    say("installing (the first time takes some minutes; torch alone is over a gigabyte) ...")
    started = time.monotonic()
    target = f".[{extra}]" if extra else "."
    if run(PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--editable", target) != 0:
        raise SetupError("pip could not install the pack; its last lines above say why. Most often the network or a proxy is the reason: "
                         "see that `pip download torch` works, or set PIP_INDEX_URL to your mirror. Then run this again.")
    stamp.write_text(wanted.hexdigest())
    say(f"installed in {time.monotonic() - started:.0f} s")


def check_libraries() -> None:
    """See that OpenCV and PyAV load; on bare Linux machines OpenCV lacks a system library."""
    probe = subprocess.run([str(PYTHON), "-c", "import cv2, av, torch"], cwd=ROOT, capture_output=True, text=True)
    if probe.returncode == 0:
        return
    reason = (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
    cure = "delete the folder .venv and run this again"
    if ".so" in reason:
        cure = "sudo apt install libgl1 libglib2.0-0 (Fedora: mesa-libGL glib2)"
    raise SetupError(f"A library does not load: {reason}\nWhat to do: {cure}.")


def get_face_mesh() -> None:
    """Fetch the face mesh (Apache-2.0, 1.5 MB out of a wheel of 36 MB) once; without it the built-in face detector serves."""
    models = ROOT / os.environ.get("TALKIES_MODELS", "models") / "talkies"
    if all((models / name).is_file() for name in ("face_landmark.tflite", "face_detection_short_range.tflite")):
        return
    if run(PYTHON, "-c", "import ai_edge_litert", stderr=subprocess.DEVNULL) != 0:
        say("LiteRT, which runs the face mesh, is not to be had here, so the built-in face detector serves")
    elif run(PYTHON, "-m", "talkies.headless", "models", "get", "face_mesh") != 0:
        say("the face mesh could not be fetched, so the built-in face detector serves; `talkies models get face_mesh` tries again")


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("demo", "test"))
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="handed on: to `talkies demo`, or to pytest")
    arguments = parser.parse_args()
    if sys.version_info < (3, 10):  # noqa: UP036  the one place where an older Python may arrive
        raise SetupError(f"Python 3.10 or newer is needed; this is {platform.python_version()}. Start it as python3.12 quickstart.py ...")
    make_environment()
    install("test" if arguments.command == "test" else "")
    check_libraries()
    if arguments.command == "demo":
        get_face_mesh()
        return run(PYTHON, "-m", "talkies.headless", "demo", *arguments.rest)
    workers = min(os.cpu_count() or 1, 4)
    return run(PYTHON, "-m", "pytest", "-n", workers, "--dist", "worksteal", *arguments.rest)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as error:
        sys.exit(f"[talkies] {error}")
    except KeyboardInterrupt:
        sys.exit("[talkies] stopped")
