"""`talkies render --resume`: killed in the middle, run again, and the file is the same bits."""
from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from checkout import ROOT

from talkies.core.video.clip import Chunk
from talkies.core.video.encoding import Encoding
from talkies.core.video.resume import pieces_folder
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource
from talkies.headless.cli import main

COMMAND = """
import importlib.util, sys
from pathlib import Path
root = Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("talkies", root / "__init__.py", submodule_search_locations=[str(root)])
pack = importlib.util.module_from_spec(spec)
sys.modules["talkies"] = pack
spec.loader.exec_module(pack)
from talkies.headless.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """Sixty seconds at ten frames a second: six segments."""
    path = tmp_path_factory.mktemp("long") / "in.mp4"
    pictures = np.random.default_rng(3).random((20, 96, 128, 3), np.float32)
    with create_sink(path, BatchSource(pictures, 10).info, Encoding(speed="fast")) as sink:
        for turn in range(30):
            sink.write(Chunk(20 * turn, pictures, tuple(range(20 * turn, 20 * turn + 20))))
    return path


def arguments(source, target):
    operations = ["--op", "sharpen:mode=adaptive", "--op", "frameadjust:gamma=1.1"]
    return ["render", str(source), str(target), *operations, "--resume", "--speed", "slow"]


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_and_the_file_is_the_same_bits(long_clip, tmp_path, capfd):
    whole, resumed = tmp_path / "whole.mp4", tmp_path / "resumed.mp4"
    assert main(arguments(long_clip, whole)) == 0
    assert "Nothing was there" in capfd.readouterr().out
    process = subprocess.Popen([sys.executable, "-c", COMMAND, str(ROOT), *arguments(long_clip, resumed)])
    folder = pieces_folder(resumed)
    end = time.monotonic() + 120
    while len(list(folder.glob("0*.mp4"))) < 2 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    process.kill()
    process.wait()
    pieces = list(folder.glob("0*.mp4"))
    assert 1 <= len(pieces) < 6 and not resumed.exists()
    assert main(arguments(long_clip, resumed)) == 0
    said = capfd.readouterr().out
    assert "of 600 frames were there from an earlier run" in said and not said.startswith("0 of")
    assert resumed.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resumed.mp4", "whole.mp4"]
    with FileSource(resumed) as made:
        assert sum(len(chunk.frames) for chunk in made.chunks(50)) == 600


def test_what_it_will_need_is_said_before_it_starts(long_clip, tmp_path, capfd):
    assert main(["render", str(long_clip), str(tmp_path / "out.mp4"), "--op", "sharpen:strength=0"]) == 0
    assert "600 frames of 128x96 px: about" in capfd.readouterr().out.splitlines()[0]


def test_what_cannot_be_resumed_is_refused_at_once(long_clip, tmp_path, capfd):
    assert main(["render", str(long_clip), str(tmp_path / "frames"), "--op", "sharpen", "--resume"]) == 1
    assert "a video file into a video file" in capfd.readouterr().err
    assert main([*arguments(long_clip, tmp_path / "out.mp4"), "--report", str(tmp_path / "r.json")]) == 1
    assert "leave one of them out" in " ".join(capfd.readouterr().err.split())
    assert main(arguments(long_clip, tmp_path / "nowhere" / "out.mp4")) == 1
