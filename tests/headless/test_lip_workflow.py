"""The shipped lip-sync workflow, end to end without ComfyUI, with weights that stand in for the published ones."""
from __future__ import annotations

import json

import lips_filling
import numpy as np
import pytest
from checkout import ROOT

from talkies.core.video.source import open_source
from talkies.core.weights import DIFF2LIP
from talkies.headless.builtin.folders import Folders
from talkies.headless.demo import write_clip
from talkies.headless.demo_clip import demo_clip
from talkies.headless.lipsync import read_sound
from talkies.headless.run import run_workflow

WORKFLOW = ROOT / "example_workflows" / "lip_sync_a_video.json"


def test_it_streams_a_video_with_a_voice_into_save_video():
    nodes = {n["type"]: n for n in json.loads(WORKFLOW.read_text(encoding="utf-8"))["nodes"]}
    linked = {entry["name"] for entry in nodes["TalkiesDiff2LipGenerate"]["inputs"] if entry["link"]}
    assert linked == {"lips", "track", "video", "audio"} and "SaveVideo" in nodes
    assert nodes["TalkiesLoadDiff2Lip"]["widgets_values"] == [DIFF2LIP.file]


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    (tmp_path / "diff2lip").mkdir()
    lips_filling.write_checkpoint(tmp_path / "diff2lip" / DIFF2LIP.file)
    folders = Folders(*(tmp_path / name for name in ("input", "output", "temp")))
    source = write_clip(demo_clip(0.08), folders.input)
    settings = {"evaluations": 2, "sampler": "dpm_2m", "precision": "bfloat16"}
    (made,) = run_workflow(WORKFLOW, folders, overrides=[f"TalkiesDiff2LipGenerate.{k}={v}" for k, v in settings.items()])
    with open_source(source) as before, open_source(made) as after:
        old, new = (np.concatenate([c.frames for c in s.chunks(4)]) for s in (before, after))
    assert new.shape == old.shape and np.abs(new - old).max() > 0.3 and np.abs(new[:, :100] - old[:, :100]).mean() < 0.02
    assert read_sound(made)[0].shape[1] > 0
