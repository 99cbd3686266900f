"""`--engine ray` on a real Ray cluster of several nodes, in a network of its own: Ray listens on every interface, whatever it is told."""
from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from batch_making import WORKFLOW, count, write_video
from ray_operations import OPERATIONS

from talkies.core.video.clip import Chunk
from talkies.core.video.encoding import Encoding
from talkies.core.video.resume import pieces_folder
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource
from talkies.headless.cli import main

SCENE = Path(__file__).resolve().parents[1] / "ray_scene.py"
ALONE = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Runs a command where there is nothing but loopback."""


def _obstacle():
    if importlib.util.find_spec("ray") is None:
        return "Ray is not installed"
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a network namespace takes root on Linux"
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "unshare (util-linux) or ip (iproute2) is missing"
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        return "a network namespace is not allowed here"
    return ""


OBSTACLE = _obstacle()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Sixty seconds at ten frames a second: six segments."""
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    pictures = np.random.default_rng(3).random((20, 96, 128, 3), np.float32)
    with create_sink(path, BatchSource(pictures, 10).info, Encoding(speed="fast")) as sink:
        for turn in range(30):
            sink.write(Chunk(20 * turn, pictures, tuple(range(20 * turn, 20 * turn + 20))))
    return path


@pytest.fixture(scope="module")
def local(clip):
    """What one machine makes of it."""
    out = clip.with_name("local.mp4")
    assert main(["render", str(clip), str(out), *OPERATIONS, "--speed", "slow", "--resume"]) == 0
    return out.read_bytes()


@pytest.fixture()
def folder(clip, tmp_path):
    shutil.copy(clip, tmp_path / "in.mp4")
    return tmp_path


def play(scene, folder):
    command = [*ALONE, sys.executable, str(SCENE), scene, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    told = [line[5:] for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert told, done.stdout[-3000:] + done.stderr[-6000:]
    return json.loads(told[0]), done.stderr


def test_a_worker_killed_in_its_work_changes_no_bit(folder, local):
    told, said = play("killed", folder)
    assert told["status"] == 0 and told["lost"] == 1 and told["workers"] == 3, said[-3000:]
    assert "A worker was lost in its work (try 1 of 3)" in said
    assert (folder / "out.mp4").read_bytes() == local
    assert not pieces_folder(folder / "out.mp4").exists()


def test_a_node_that_goes_away_changes_no_bit(folder, local):
    told, said = play("node_lost", folder)
    assert told["status"] == 0 and told["lost"] == 1, said[-3000:]
    assert (folder / "out.mp4").read_bytes() == local


def test_an_input_that_the_nodes_do_not_see_is_sent_once_a_machine(folder, local):
    (folder / "disk").mkdir()
    told, _ = play("unseen", folder)
    assert told["status"] == 0 and not told["seen"], told["said"]
    assert told["said"].count("it is sent") == 1  # the nodes of this cluster are one machine
    assert (folder / "out.mp4").read_bytes() == local


def test_cancel_ends_the_workers_and_resume_goes_on_to_the_same_bits(folder, local):
    told, said = play("cancelled", folder)
    assert told["cancelled"] == 130 and told["kept"] >= 2 and not told["named"] and told["workers left"] == 0, said[-3000:]
    assert told["status"] == 0 and "frames are there from an earlier run" in said
    assert (folder / "out.mp4").read_bytes() == local


def test_a_batch_with_a_bad_file_and_a_killed_worker(tmp_path):
    (tmp_path / "in").mkdir()
    videos = {f"v{i}.mp4": 5 + i for i in range(5)}
    for name, frames in videos.items():
        write_video(tmp_path / "in" / name, frames)
    (tmp_path / "in" / "broken.mp4").write_bytes(b"no video at all")
    (tmp_path / "w.json").write_text(json.dumps(WORKFLOW), encoding="utf-8")
    told, said = play("batch", tmp_path)
    assert told["status"] == 1 and told["lost"] == 1, said[-3000:]  # 1: one file failed
    assert {name: count(tmp_path / "out" / name) for name in videos} == videos
    out = tmp_path / "here"
    (tmp_path / "in" / "broken.mp4").unlink()
    assert main(["batch", str(tmp_path / "in"), str(out), "--workflow", str(tmp_path / "w.json")]) == 0
    assert all((out / name).read_bytes() == (tmp_path / "out" / name).read_bytes() for name in videos)
