"""``talkies sync``: the figures of a clip whose mouth is known, from a track, and what it says when something is wrong."""
from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from talkies.core.face.track import track_from_points
from talkies.headless import cli

COUNT = 120


@pytest.fixture
def clip(tmp_path):
    """A clip of gray, a track of 68 points whose mouth opens by a known series, and sound as loud as it is open, 3 frames late."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(4, 9, 30))
    opening = np.exp(-(((np.arange(COUNT)[:, None] - times) / 1.6) ** 2)).sum(1)
    points = np.tile(rng.uniform(10, 54, (68, 2)), (COUNT, 1, 1))
    points[:, 36:42], points[:, 42:48] = (20, 20), (44, 20)
    points[:, [33, 50, 51, 52, 61, 62, 63]] = (32, 40)
    points[:, [8, 57, 58, 56, 67, 66, 65]] = np.stack((np.full(COUNT, 32), 42 + 8 * opening), -1)[:, None]
    np.save(tmp_path / "in.npy", np.full((COUNT, 64, 64, 3), 0.5, np.float32))
    (tmp_path / "track.json").write_text(track_from_points(list(points), "points68", (64, 64), Fraction(25)).dumps())
    level = np.interp(np.arange(COUNT * 640) / 640, np.arange(COUNT) + 0.5 + 3, opening)
    soundfile.write(tmp_path / "late.wav", 0.2 * level * rng.standard_normal(len(level)), 16000)
    return tmp_path


def test_it_prints_the_offset(clip, capsys):
    arguments = ["sync", clip / "in.npy", "--track", clip / "track.json", "--audio", clip / "late.wav", "--report", clip / "report.json"]
    assert cli.main([str(a) for a in arguments]) == 0
    printed = capsys.readouterr().out
    assert "sound late (frames)" in printed and "confidence" in printed
    (report,) = json.loads((clip / "report.json").read_text())
    assert report["figures"]["sound late (frames)"] == 3 and report["figures"]["sound late (ms)"] == 120
    assert report["figures"]["confidence"] > 0.3


@pytest.mark.parametrize("extra, message", [
    (["--audio", "none.wav"], "There is no none.wav"),
    (["--reach", "2"], "--reach is 2"),
    (["--syncnet", "none.model"], "none.model is not a file"),
    ([], "cannot be read as a video"),
])
def test_it_says_what_is_wrong(clip, capsys, extra, message):
    arguments = ["sync", clip / "in.npy", "--track", clip / "track.json", *extra]
    assert cli.main([str(a) for a in arguments]) == 1
    assert message in " ".join(capsys.readouterr().err.split())
