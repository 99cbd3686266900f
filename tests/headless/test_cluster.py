"""The cluster engine without a cluster: workers, files in blocks, losses, versions, and what is asked for. With Ray: test_ray_cluster."""
from __future__ import annotations

import argparse
import asyncio
import re
import shlex
import sys
import threading
import types
from pathlib import Path

import pytest
from batch_making import write_video

from talkies.core import parallel
from talkies.core.catalogue import OPERATIONS, parse_operation
from talkies.core.video.resume import fingerprint
from talkies.headless import cluster, cluster_pool
from talkies.headless.cli import main, parser
from talkies.headless.cluster import connected, room, share_of, uses_gpu
from talkies.headless.cluster_pool import ROOT, ClusterError, Pool, Share, Task
from talkies.headless.cluster_worker import Made, Worker, versions


class Lost(Exception):
    """Stands for Ray's report of a dead worker."""


class FakeRay:
    """Actors that are objects of this process, each call on a thread; `deaths` are the calls, counted over all actors, that end one."""

    exceptions = types.SimpleNamespace(RayError=Lost, RayTaskError=ZeroDivisionError)
    cloudpickle = types.SimpleNamespace(register_pickle_by_value=lambda m: None, unregister_pickle_by_value=lambda m: None)

    def __init__(self, deaths=()):
        self.deaths, self.calls, self.killed, self.asked, self.blocks, self.running, self.most = set(deaths), 0, [], {}, [], 0, 0

    def put(self, value):
        return value

    def wait(self, refs, **_):
        for ref in refs:
            thread = threading.Thread(target=asyncio.run, args=(ref,))
            thread.start()
            thread.join()

    def kill(self, actor):
        self.killed.append(actor)

    def remote(self, **asked):
        self.asked = asked
        ray = self

        class Method:
            def __init__(self, name, call):
                self.name, self.call = name, call

            async def remote(self, *arguments):
                if self.name == "write":
                    ray.blocks.append(len(arguments[3]))
                if self.name == "call":
                    ray.calls += 1
                    if ray.calls in ray.deaths:
                        raise Lost("it was killed\nby a test")
                return await asyncio.to_thread(self.call, *arguments)

        class Actor:
            def __init__(self, *arguments):
                self.worker = Worker(*arguments)

            def __getattr__(self, name):
                return Method(name, getattr(self.worker, name))

        return lambda cls: types.SimpleNamespace(remote=Actor)


def doubling(factor):
    def work(job):
        if job["n"] == 13:
            raise ValueError("thirteen is not doubled")
        return Made((), job["n"] * factor)

    return work


def pool_of(ray, tmp_path, count=3, work=doubling, specification=2, **more):
    ended = []
    pool = Pool(ray, Share(1), count, work, specification, tmp_path, ended.append, **more)
    return pool, ended


@pytest.fixture(autouse=True)
def no_limit(monkeypatch):
    import torch

    threads = torch.get_num_threads()
    monkeypatch.setattr(cluster_pool, "POLL", 0.01)
    yield
    parallel.limit_workers(None)
    torch.set_num_threads(threads)


def test_every_task_is_done_once_and_a_failure_is_told_by_its_task(tmp_path):
    ray = FakeRay()
    pool, ended = pool_of(ray, tmp_path)
    pool.run([Task(n, {"n": n}) for n in range(20)])
    assert {o.task.key: o.values for o in ended if not o.failure} == {n: 2 * n for n in range(20) if n != 13}
    assert [o.failure for o in ended if o.failure] == ["thirteen is not doubled"]
    assert len(ray.killed) == 3 and ray.asked["num_cpus"] == 1 and pool.lost == 0


def test_a_lost_workers_task_is_done_by_another(tmp_path, caplog):
    ray = FakeRay(deaths=(2, 5))
    pool, ended = pool_of(ray, tmp_path)
    pool.run([Task(n, {"n": n}) for n in range(6)])
    assert sorted(o.task.key for o in ended) == list(range(6)) and not any(o.failure for o in ended)
    assert pool.lost == 2 and ray.calls == 8 and "it was killed" in caplog.text and "by a test" not in caplog.text


def test_a_task_that_kills_every_worker_fails_and_the_rest_is_done(tmp_path):
    pool, ended = pool_of(FakeRay(deaths=(1, 2, 3)), tmp_path, count=1)
    pool.run([Task(n, {"n": n}) for n in range(3)])
    assert ["3 workers were lost under it" in o.failure for o in ended] == [True, False, False]


def test_workers_that_never_survive_end_the_run(tmp_path, monkeypatch):
    def dead(self):
        raise Lost("no memory")

    monkeypatch.setattr(Worker, "hello", dead)
    pool, _ = pool_of(FakeRay(), tmp_path, count=2)
    with pytest.raises(ClusterError, match=r"[78] workers were lost in a row, the last one so: no memory"):
        pool.run([Task(0, {"n": 0})] * 2)


def test_cancel_ends_every_worker(tmp_path):
    def tick():
        raise KeyboardInterrupt

    ray = FakeRay()
    pool, _ = pool_of(ray, tmp_path, tick=tick)
    with pytest.raises(KeyboardInterrupt):
        pool.run([Task(n, {"n": n}) for n in range(9)])
    assert len(ray.killed) == 3


def test_other_versions_on_a_node_are_refused(tmp_path, monkeypatch):
    mine = versions(ROOT)
    assert len(mine["talkies"]) == 12 and mine["numpy"][0].isdigit()
    monkeypatch.setattr(cluster_pool, "versions", lambda root: {**mine, "av": "9.9"})
    pool, _ = pool_of(FakeRay(), tmp_path)
    with pytest.raises(ClusterError, match=r"has av \d.* \(here 9.9\); results would differ"):
        pool.run([Task(0, {"n": 0})])


def test_a_worker_without_the_pack_says_so(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "talkies")
    monkeypatch.setattr(cluster_pool, "ROOT", tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "meta_path", [])
    pool, _ = pool_of(FakeRay(), tmp_path)
    with pytest.raises(ClusterError, match=r"elsewhere is not on .* and talkies is not installed there; install it on every node"):
        pool.run([Task(0, {"n": 0})])


def copying(suffix):
    def work(job):
        (path,) = job["inputs"]
        made = Path(path).with_name(f"{job['n']}{suffix}")  # of one name on every node in real life; here all share a folder
        made.write_bytes(Path(path).read_bytes()[::-1])
        return Made((made,))

    return work


def test_files_that_a_node_does_not_see_travel_in_blocks_once_and_results_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_pool, "BLOCK", 1000)
    source = tmp_path / "in.bin"
    source.write_bytes(bytes(range(256)) * 9 + b"end")
    here = Worker._here
    monkeypatch.setattr(Worker, "_here", lambda self, path, print_: here(self, "/nowhere" + path, print_))
    ray = FakeRay()
    pool, ended = pool_of(ray, tmp_path / "arriving", work=copying, specification=".out")
    inputs = ((str(source), fingerprint(source)),)
    pool.run([Task(n, {"n": n}, inputs) for n in range(4)])
    assert [o.files[0].read_bytes() for o in ended] == [source.read_bytes()[::-1]] * 4
    assert ray.blocks == [1000, 1000, 307]  # three workers of one machine, and it was sent once
    assert not list(Path(ray.killed[0].worker._folder.parent).glob(ray.killed[0].worker._folder.name))


def test_a_changed_file_is_not_taken_for_the_one_that_is_meant(tmp_path):
    source = tmp_path / "in.bin"
    source.write_bytes(b"one")
    worker = Worker(str(ROOT), "test", 1, copying, ".out")
    inputs = [(str(source), fingerprint(source))]
    assert worker.missing(inputs) == []
    source.write_bytes(b"two")
    assert worker.missing(inputs) == [0]
    worker.write(*inputs[0], 0, b"on", False)
    assert worker.missing(inputs) == [0]
    worker.write(*inputs[0], 2, b"e", True)
    assert worker.missing(inputs) == []
    assert worker.call(inputs, {"n": 0}, keep=False)["failure"] == "" and worker.missing(inputs) == [0]
    worker.leave()


def test_a_worker_keeps_to_its_processors(tmp_path):
    Worker(str(ROOT), "test", 1, doubling, 2)
    assert parallel.worker_count() == 1
    parallel.limit_workers(10_000)
    assert parallel.worker_count() <= 10_000 // 2
    parallel.limit_workers(0)
    assert parallel.worker_count() == 1


OPTIONS = argparse.Namespace(worker_cpus=2.0, worker_gpus=None, worker_memory=None, workers=None)


def ray_with(*nodes):
    resources = {}
    for node in nodes:
        for name, amount in node.items():
            resources[name] = resources.get(name, 0) + amount
    states = [{"Alive": True, "Resources": n} for n in nodes] + [{"Alive": False, "Resources": {"CPU": 99}}]
    return types.SimpleNamespace(cluster_resources=lambda: resources, nodes=lambda: states)


def test_a_worker_asks_for_processors_memory_and_a_share_of_a_gpu_where_it_is_of_use():
    plain, gpu = ray_with({"CPU": 8, "memory": 8e9}), ray_with({"CPU": 8, "memory": 8e9, "GPU": 1}, {"CPU": 4, "memory": 64e9, "GPU": 2})
    assert share_of(OPTIONS, plain, 0.5e9, True) == Share(2, 0, 1.5e9)
    assert share_of(OPTIONS, gpu, 0.5e9, False).gpus == 0 and share_of(OPTIONS, gpu, 0.5e9, True).gpus == 0.5
    assert share_of(argparse.Namespace(**{**vars(OPTIONS), "worker_memory": 3.0, "worker_gpus": 1.0}), plain, 0, False) == Share(2, 1, 3e9)
    assert str(Share(2, 0.5, 1.5e9)) == "2 CPU, 0.5 GPU, 1.5 GB"
    with pytest.raises(ClusterError, match="above 0"):
        share_of(argparse.Namespace(**{**vars(OPTIONS), "worker_cpus": 0}), plain, 0, False)
    assert room(plain, Share(2, 0, 1.5e9)) == 4 and room(plain, Share(1, 0, 3e9)) == 2
    assert room(gpu, Share(1, 0.5, 1e9)) == 6 and room(plain, Share(1, 0.5, 1e9)) == 1  # at least one, so that a cluster may grow


def test_which_operations_use_a_gpu():
    network = {"op": "superresolve", "model": "x"}
    assert uses_gpu({"op": "chain", "operations": [{"op": "sharpen"}, {"op": "masked", "operation": network, "mask": {}}]})
    assert not uses_gpu({"op": "chain", "operations": [{"op": "sharpen"}]})


def test_without_ray_one_sentence_says_so(monkeypatch, tmp_path, capfd):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match="pip install"), connected(None):
        pass
    video = write_video(tmp_path / "a.mp4")
    assert main(["render", str(video), str(tmp_path / "b.mp4"), "--op", "sharpen", "--engine", "ray"]) == 1
    assert "--engine ray needs Ray, which is not installed: pip install" in " ".join(capfd.readouterr().err.split())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


def test_a_cluster_that_cannot_be_reached_is_named(monkeypatch):
    def init(**_):
        raise ConnectionError("no route")

    fake = types.SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setattr(cluster.importlib, "import_module", lambda name: fake)
    with pytest.raises(ClusterError, match=r"10\.0\.0\.1:6379 cannot be reached or started: no route"), connected("10.0.0.1:6379"):
        pass


def test_a_connection_that_is_there_is_used_and_left_open(monkeypatch):
    fake = types.SimpleNamespace(is_initialized=lambda: True)
    monkeypatch.setattr(cluster.importlib, "import_module", lambda name: fake)
    with connected("anything") as ray:
        assert ray is fake


def test_servers_and_ray_exclude_each_other(tmp_path, capfd):
    assert main(["batch", str(tmp_path), str(tmp_path / "out"), "--workflow", "w.json", "--server", "http://x", "--engine", "ray"]) == 1
    assert "leave one of them out" in " ".join(capfd.readouterr().err.split())




def test_operations_said_to_use_a_gpu_exist():
    assert set(cluster.ON_GPU) <= set(OPERATIONS)


def test_the_kubernetes_job_of_the_page_is_a_command_that_exists():
    yaml = pytest.importorskip("yaml")
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "SCALE.md").read_text(encoding="utf-8"), re.S)
    volume, _, job = yaml.safe_load_all(block)
    name, *arguments = shlex.split(job["spec"]["entrypoint"])
    options = parser().parse_args(arguments)
    assert name == "talkies" and options.engine == "ray" and options.resume
    assert all(parse_operation(text) for text in options.op)
    groups = [job["spec"]["rayClusterSpec"]["headGroupSpec"], *job["spec"]["rayClusterSpec"]["workerGroupSpecs"]]
    for group in groups:
        (container,), (claim,) = group["template"]["spec"]["containers"], group["template"]["spec"]["volumes"]
        assert claim["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]
        assert str(options.input).startswith(container["volumeMounts"][0]["mountPath"])
    room = int(groups[1]["maxReplicas"] * int(container["resources"]["limits"]["cpu"]) / options.worker_cpus)
    assert options.workers == room
