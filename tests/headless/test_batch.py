"""A folder of videos through a workflow: one bad file does not stop the rest, what is done stays done, a dead server's job moves on."""
from __future__ import annotations

import asyncio
import json
import shutil

import aiohttp
import comfy_server_fake
import pytest
from batch_making import WORKFLOW, count, write_video
from comfy_server_fake import INFO, PROMPT, FakeServer, serving

from talkies.headless.cli import main
from talkies.headless.fleet import Fleet
from talkies.headless.jobs import RECORD, Done, Job, find_jobs, prompt_for
from talkies.headless.prompt import WorkflowError


@pytest.fixture()
def folders(tmp_path):
    (tmp_path / "in").mkdir()
    for name, frames in (("a.mp4", 5), ("clip 10.mkv", 7), ("clip 2.mp4", 6)):
        write_video(tmp_path / "in" / name, frames)
    (tmp_path / "w.json").write_text(json.dumps(WORKFLOW), encoding="utf-8")
    return tmp_path


def batch(folder, *more):
    return main(["batch", str(folder / "in"), str(folder / "out"), "--workflow", str(folder / "w.json"), *more])


def test_videos_come_in_natural_order_with_the_sound_of_the_same_name(folders):
    (folders / "in" / "a.WAV").write_bytes(b"")
    (folders / "in" / ".hidden.mp4").write_bytes(b"")
    jobs = find_jobs(folders / "in")
    assert [job.video.name for job in jobs] == ["a.mp4", "clip 2.mp4", "clip 10.mkv"]
    assert [job.audio and job.audio.name for job in jobs] == ["a.WAV", None, None]
    write_video(folders / "in" / "a.mkv")
    with pytest.raises(WorkflowError, match="several videos called a"):
        find_jobs(folders / "in")
    with pytest.raises(WorkflowError, match="no video"):
        find_jobs(folders)


def test_a_workflow_that_loads_sound_needs_the_sound_and_one_without_a_video_is_refused(tmp_path):
    definitions = {**INFO, "LoadAudio": {"input": {"required": {"audio": (["x"], {"audio_upload": True})}}}}
    prompt = {**PROMPT, "5": {"class_type": "LoadAudio", "inputs": {"audio": "x"}}}
    job = Job(tmp_path / "v.mp4", tmp_path / "v.wav")
    changed = prompt_for(prompt, job, definitions)
    assert changed["1"]["inputs"]["file"] == str(job.video) and changed["5"]["inputs"]["audio"] == str(job.audio)
    assert prompt["1"]["inputs"]["file"] == "clip.mp4"
    with pytest.raises(WorkflowError, match=r"none called v \("):
        prompt_for(prompt, Job(tmp_path / "v.mp4"), definitions)
    with pytest.raises(WorkflowError, match="Nothing in this workflow loads a video"):
        prompt_for({"2": PROMPT["2"]}, job, definitions)


def test_one_bad_file_does_not_stop_the_rest_and_the_second_run_does_only_what_is_missing(folders, capfd):
    (folders / "in" / "broken.mp4").write_bytes(b"no video at all")
    assert batch(folders) == 1
    said = capfd.readouterr().out
    assert "3 done, 1 failed, 0 were there" in said and "broken.mp4" in said and "FAILED" in said
    out = folders / "out"
    assert sorted(p.name for p in out.iterdir()) == [RECORD, "a.mp4", "clip 10.mp4", "clip 2.mp4"]
    assert [count(out / name) for name in ("a.mp4", "clip 2.mp4", "clip 10.mp4")] == [5, 6, 7]
    times = {p: p.stat().st_mtime_ns for p in out.glob("*.mp4")}
    (folders / "in" / "broken.mp4").unlink()
    assert batch(folders) == 0
    assert "3 of 3 are done already" in capfd.readouterr().out
    assert times == {p: p.stat().st_mtime_ns for p in out.glob("*.mp4")}
    (out / "a.mp4").write_bytes(b"gone bad")
    write_video(folders / "in" / "clip 2.mp4", 9)
    assert batch(folders) == 0
    assert "1 of 3 are done already" in capfd.readouterr().out
    assert count(out / "a.mp4") == 5 and count(out / "clip 2.mp4") == 9
    assert batch(folders, "--set", "TalkiesSharpen.strength=0.9") == 0
    assert "2 done" not in capfd.readouterr().out.split("\n\n")[-1]  # other settings: all three again


class Machine(FakeServer):
    """A fake server that counts its jobs and can be slow or die under one."""

    def __init__(self, others=0, die_after=None):
        super().__init__()
        self.queued = [[0, f"other{i}"] for i in range(others)]
        self.jobs, self.die_after = [], die_after

    async def prompt(self, request):
        body = await request.json()
        self.jobs.append(body["prompt"]["1"]["inputs"]["file"])
        if self.die_after is not None and len(self.jobs) > self.die_after:
            self.hold = True
            asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(self.stop()))
        return await super().prompt(request)


def run_fleet(machines, jobs, folder, monkeypatch, patience=0.5):
    monkeypatch.setattr("talkies.headless.fleet.REVIVAL", 0.2)
    monkeypatch.setitem(comfy_server_fake.FILES, "p.webp", b"x")
    told = []

    async def go():
        sites, urls = [], []
        for machine in machines:
            site = serving(machine)
            urls.append(await site.__aenter__())
            sites.append(site)

            async def stop(site=site, machine=machine):
                machine.hold = False
                await site.__aexit__(None, None, None)
                sites.remove(site)

            machine.stop = stop
        fleet = Fleet(urls, lambda definitions: (PROMPT, None), folder, lambda job, files: Done(job, tuple(files)), told.append,
                      patience=patience)
        try:
            return await fleet.run(jobs)
        finally:
            for site in list(sites):
                await site.__aexit__(None, None, None)


    return asyncio.run(asyncio.wait_for(go(), 30)), told


@pytest.fixture()
def jobs(tmp_path):
    for i in range(6):
        (tmp_path / f"v{i}.mp4").write_bytes(b"video %d" % i)
    return [Job(tmp_path / f"v{i}.mp4") for i in range(6)]


def test_jobs_spread_over_the_servers_and_the_shorter_queue_comes_first(jobs, tmp_path, monkeypatch):
    busy, free = Machine(others=4), Machine()
    results, told = run_fleet([busy, free], jobs, tmp_path, monkeypatch)
    assert len(results) == 6 == len(told) and not any(done.error for done in results)
    assert {done.job for done in results} == set(jobs)
    assert len(free.jobs) >= 2 and len(busy.jobs) >= 2 and free.jobs[0] == "v0.mp4" and busy.jobs[0] == "v1.mp4"


def test_a_dead_servers_job_is_given_to_another(jobs, tmp_path, monkeypatch):
    mortal, steady = Machine(die_after=1), Machine()
    results, _ = run_fleet([mortal, steady], jobs, tmp_path, monkeypatch)
    assert {done.job for done in results} == set(jobs) and not any(done.error for done in results)
    assert len(mortal.jobs) == 2 and mortal.jobs[1] in steady.jobs  # the one that it died under


def test_no_server_left_is_said_and_what_was_done_is_kept(jobs, tmp_path, monkeypatch):
    with pytest.raises(WorkflowError, match=r"No server is left for 5 jobs.*cannot be reached"):
        run_fleet([Machine(die_after=1)], jobs, tmp_path, monkeypatch)


def test_a_failing_workflow_is_not_the_servers_fault(jobs, tmp_path, monkeypatch):
    machine = Machine()
    machine.failure = ["execution_error", {"node_id": "2", "node_type": "SaveVideo", "exception_type": "ValueError",
                                           "exception_message": "no room", "traceback": []}]
    results, _ = run_fleet([machine], jobs[:2], tmp_path, monkeypatch)
    assert all("no room" in done.error for done in results) and len(machine.jobs) == 2


def test_leaving_cancels_on_the_servers(jobs, tmp_path):
    async def go():
        machine = Machine()
        machine.hold = True
        async with serving(machine) as url:
            fleet = Fleet([url], lambda definitions: (PROMPT, None), tmp_path, lambda job, files: Done(job), lambda done: None)
            task = asyncio.create_task(fleet.run(jobs))
            while not machine.jobs:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            machine.hold = False
            return machine

    machine = asyncio.run(asyncio.wait_for(go(), 20))
    assert machine.deleted and machine.interrupted == machine.deleted


def test_a_batch_on_a_server_fetches_and_names_its_results(folders, monkeypatch, capfd):
    video = (folders / "in" / "a.mp4").read_bytes()
    monkeypatch.setitem(comfy_server_fake.FILES, "v.mp4", video)
    (folders / "w.json").write_text(json.dumps(PROMPT), encoding="utf-8")
    import threading

    ready, stop = threading.Event(), threading.Event()
    address = []

    async def serve():
        async with serving(Machine()) as url, aiohttp.ClientSession():
            address.append(url)
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        assert batch(folders, "--server", address[0]) == 0
    finally:
        stop.set()
        thread.join()
    assert [count(folders / "out" / name) for name in ("a.mp4", "clip 2.mp4", "clip 10.mp4")] == [5, 5, 5]
    shutil.rmtree(folders / "out")
