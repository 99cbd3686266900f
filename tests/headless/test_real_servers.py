"""A batch on two real ComfyUI servers, one of which is killed in the middle of a job."""
from __future__ import annotations

import json
import threading
import time

import pytest
from batch_making import WORKFLOW, count, write_video
from comfy_server_real import RealServer, needs_comfyui

from talkies.headless.cli import main


@needs_comfyui
@pytest.mark.slow
def test_a_server_killed_in_mid_job_loses_nothing(tmp_path, capfd, caplog, monkeypatch):
    monkeypatch.setattr("talkies.headless.fleet.PATIENCE", 3.0)
    (tmp_path / "in").mkdir()
    for i in range(4):
        write_video(tmp_path / "in" / f"v{i}.mp4", 400 + i)
    (tmp_path / "w.json").write_text(json.dumps(WORKFLOW), encoding="utf-8")
    with RealServer(tmp_path / "one") as mortal, RealServer(tmp_path / "two") as steady:
        def kill_when_busy():
            while "got prompt" not in mortal.log:
                time.sleep(0.02)
            mortal.kill()

        threading.Thread(target=kill_when_busy, daemon=True).start()
        status = main(["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--workflow", str(tmp_path / "w.json"),
                       "--server", mortal.url, "--server", steady.url])
        said = capfd.readouterr()
        assert status == 0, said
        assert mortal.process.poll() is not None and "goes to another server" in caplog.text
    assert [count(tmp_path / "out" / f"v{i}.mp4") for i in range(4)] == [400, 401, 402, 403]
