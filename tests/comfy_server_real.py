"""Starts a real ComfyUI with this pack in it, on a free loopback port and a folder of its own.

`COMFYUI_PATH` names a ComfyUI tree; `COMFYUI_PYTHON` the Python that has its requirements and the pack's (default: this one).
"""
from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import pytest
from checkout import ROOT

TREE = os.environ.get("COMFYUI_PATH", "")

needs_comfyui = pytest.mark.skipif(not (TREE and (Path(TREE) / "main.py").is_file()),
                                   reason="COMFYUI_PATH does not name a ComfyUI tree")


class RealServer:
    """A ComfyUI process; a context manager that ends it."""

    def __init__(self, base: Path, inputs: Iterable[Path] = (), arguments: Iterable[str] = ()) -> None:
        for name in ("custom_nodes", "input", "output", "temp", "user", "models/upscale_models"):
            (base / name).mkdir(parents=True, exist_ok=True)
        (base / "custom_nodes" / "ComfyUI-Talkies").symlink_to(ROOT)
        for path in inputs:
            shutil.copy(path, base / "input" / path.name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base, self.url = base, f"http://127.0.0.1:{port}"
        command = [os.environ.get("COMFYUI_PYTHON", sys.executable), "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port),
                   "--base-directory", str(base), "--disable-auto-launch", "--database-url", f"sqlite:///{base}/comfy.db", *arguments]
        self._log = (base / "server.log").open("w")
        self.process = subprocess.Popen(command, cwd=TREE, stdout=self._log, stderr=subprocess.STDOUT)

    def __enter__(self) -> RealServer:
        end = time.monotonic() + 180
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.url + "/system_stats", timeout=2).close()
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        self.kill()
        raise AssertionError("ComfyUI did not start:\n" + self.log[-3000:])

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return (self.base / "server.log").read_text(errors="replace")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()
