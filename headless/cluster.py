"""Ray as an engine: the options of the command line, the connection, and what a worker takes of the cluster."""
from __future__ import annotations

import argparse
import importlib
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .cluster_pool import ClusterError, Share

PROGRAM = 1.0e9
"""Bytes that a worker takes beside its frames: Python, torch, OpenCV, FFmpeg."""

A_GPU = 0.5
"""The share of a GPU that a worker takes when nobody says: two on each, so that one computes while the other decodes and encodes."""

ON_GPU = ("bm3d", "deblur", "deepimageprior", "superresolve")
"""Operations, by name, that use a GPU where there is one."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the engine to a command."""
    group = parser.add_argument_group("many machines")
    group.add_argument("--engine", choices=("local", "ray"), default="local",
                       help="ray: on a Ray cluster (pip install ray); only in a network that you trust, since Ray runs whatever it is sent")
    group.add_argument("--address", help="of the cluster, e.g. auto or HOST:6379; without it RAY_ADDRESS, else one is started here")
    group.add_argument("--workers", type=int, metavar="N", help="default: as many as the cluster has room for now; more let it grow")
    group.add_argument("--worker-cpus", type=float, default=1, metavar="N", help="CPU cores of a worker; default 1")
    group.add_argument("--worker-gpus", type=float, metavar="N",
                       help=f"GPUs of a worker; a fraction shares one. Default: {A_GPU:g} where the cluster has any and they are of use")
    group.add_argument("--worker-memory", type=float, metavar="GB", help="memory of a worker; default: an estimate")


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Give the module ray, connected to a cluster; the connection ends with the block, and so does a cluster that it started.

    Args:
        address: as `ray.init` takes it; None for RAY_ADDRESS, a cluster started here before, or a new one on this machine.

    Raises:
        ClusterError: Ray is not installed, or the cluster cannot be reached.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise ClusterError("--engine ray needs Ray, which is not installed: pip install 'ray>=2.30'.") from error
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=None if address else False)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        raise ClusterError(f"The Ray cluster {address or 'here'} cannot be reached or started: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def share_of(options: argparse.Namespace, ray: Any, memory: float, uses_gpu: bool) -> Share:
    """Give what a worker takes.

    Args:
        options: see `add_options`.
        ray: connected.
        memory: bytes for its frames, beside the program.
        uses_gpu: whether a GPU would be of use.

    Raises:
        ClusterError: an option is out of range.
    """
    if options.worker_cpus <= 0 or (options.worker_gpus or 0) < 0 or (options.worker_memory or 1) <= 0 or (options.workers or 1) < 1:
        raise ClusterError("--workers is at least 1; --worker-cpus and --worker-memory are above 0, --worker-gpus is not below.")
    gpus = options.worker_gpus
    if gpus is None:
        gpus = A_GPU if uses_gpu and ray.cluster_resources().get("GPU", 0) > 0 else 0
    return Share(options.worker_cpus, gpus, options.worker_memory * 1e9 if options.worker_memory else PROGRAM + memory)


def room(ray: Any, share: Share) -> int:
    """Count the workers that the cluster has room for, at least 1."""
    return max(1, sum(_fitting(node["Resources"], share) for node in ray.nodes() if node["Alive"]))


def uses_gpu(operation: Any) -> bool:
    """Say whether an operation, as JSON, or one inside it uses a GPU where there is one."""
    if isinstance(operation, Mapping):
        return operation.get("op") in ON_GPU or any(uses_gpu(value) for value in operation.values())
    return isinstance(operation, (list, tuple)) and any(uses_gpu(value) for value in operation)


def _fitting(there: Mapping[str, float], share: Share) -> int:
    wanted = {"CPU": share.cpus, "GPU": share.gpus, "memory": share.memory}
    return min(math.floor(there.get(name, 0) / amount + 1e-9) for name, amount in wanted.items() if amount)
