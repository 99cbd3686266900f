"""A cluster of several nodes on this machine, and what the command line does on it. Started by test_ray_cluster in a network of its own.

``python ray_scene.py SCENE FOLDER``: FOLDER holds in.mp4, or in/ and w.json; what happened is printed as a line of JSON.
"""
from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from ray_operations import OPERATIONS  # it loads the pack

from talkies.core.video.resume import pieces_folder
from talkies.headless import cluster_pool
from talkies.headless.cli import main

pools = []
places = []
run_pool, welcome, work = cluster_pool.Pool.run, cluster_pool.Pool._welcome, cluster_pool.Pool._do
cluster_pool.Pool.run = lambda self, tasks: pools.append(self) or run_pool(self, tasks)
cluster_pool.Pool._welcome = lambda self, place: places.append(place) or welcome(self, place)


async def together(self, actor, place, task):
    """Let nobody begin before both workers are there: on a busy machine one may have done everything until the other has started."""
    while len(places) < 2:
        await asyncio.sleep(0.02)
    return await work(self, actor, place, task)


cluster_pool.Pool._do = together


def alive(process):
    """Say whether a process runs; one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def process_of(place):
    return int(place.name.rsplit(" ", 1)[1])


def when(true, act):
    """Do something on a thread as soon as a condition holds."""

    def wait():
        while not true():
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def pieces(folder):
    return len(list(pieces_folder(folder / "out.mp4").glob("0*.mp4")))


def render(folder, address, *more, source=None):
    files = [str(source or folder / "in.mp4"), str(folder / "out.mp4")]
    return main(["-v", "render", *files, *OPERATIONS, "--speed", "slow", "--engine", "ray", "--address", address, *more])


def killed(folder, cluster, nodes):
    """Two workers on two nodes; one is killed while both are at work."""
    when(lambda: len(places) == 2 and pieces(folder) >= 1, lambda: os.kill(process_of(places[0]), signal.SIGKILL))
    return {"status": render(folder, cluster.address)}


def node_lost(folder, cluster, nodes):
    """A whole node goes away."""
    when(lambda: len(places) == 2 and pieces(folder) >= 1, lambda: cluster.remove_node(nodes[-1], allow_graceful=False))
    return {"status": render(folder, cluster.address)}


def unseen(folder, cluster, nodes):
    """The input lies on a disk that only the sender sees."""
    disk = folder / "disk"
    inner = 'mount -t tmpfs none "$1/disk" && cp "$1/in.mp4" "$1/disk/" && exec "$2" "$3" sender "$1" "$4"'
    command = ["unshare", "-m", "sh", "-c", inner, "sh", str(folder), sys.executable, __file__, cluster.address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"status": done.returncode, "said": done.stderr[-3000:], "seen": (disk / "in.mp4").exists()}


def cancelled(folder, cluster, nodes):
    """Ctrl-C in the middle; then --resume."""
    when(lambda: len(places) == 2 and pieces(folder) >= 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    status = render(folder, cluster.address, "--resume")
    kept = pieces(folder)
    end = time.monotonic() + 20
    while any(alive(process_of(place)) for place in places) and time.monotonic() < end:
        time.sleep(0.1)
    left = sum(alive(process_of(place)) for place in places)
    named = (folder / "out.mp4").exists()
    return {"cancelled": status, "kept": kept, "workers left": left, "named": named, "status": render(folder, cluster.address, "--resume")}


def batch(folder, cluster, nodes):
    """Files of a batch; a worker is killed at its first one."""
    when(lambda: len(places) == 2, lambda: os.kill(process_of(places[1]), signal.SIGKILL))
    status = main(["-v", "batch", str(folder / "in"), str(folder / "out"), "--workflow", str(folder / "w.json"), "--engine", "ray",
                   "--address", cluster.address])
    return {"status": status}


def run(scene, folder):
    logging.raiseExceptions = False
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100 * 2**20})
    nodes = [cluster.add_node(num_cpus=1, memory=8 * 10**9, object_store_memory=100 * 2**20) for _ in range(2)]
    cluster.wait_for_nodes()
    try:
        told = {"killed": killed, "node_lost": node_lost, "unseen": unseen, "cancelled": cancelled, "batch": batch}[scene](
            folder, cluster, nodes)
    finally:
        ray.shutdown()
        cluster.shutdown()
    told |= {"lost": sum(pool.lost for pool in pools), "nodes": 2, "workers": len(places)}
    print("TOLD " + json.dumps(told), flush=True)


if __name__ == "__main__":
    scene, folder = sys.argv[1], Path(sys.argv[2])
    if scene == "sender":
        sys.exit(render(folder, sys.argv[3], source=folder / "disk" / "in.mp4"))
    run(scene, folder)
