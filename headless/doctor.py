"""``talkies doctor``: what is installed, what it runs on, what is missing, and what to do about each."""
from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import torch

from ..core.parallel import worker_count
from ..core.weights import CATALOGUE, Checkpoint, can_be_fetched
from ..host.folders import find_model, model_folders

REQUIRED = ("torch", "torchvision", "numpy", "scipy", "opencv-python", "kornia", "numba", "av", "Pillow", "scikit-image", "matplotlib",
            "librosa", "face-alignment", "spandrel", "bm3d", "aiohttp", "tqdm", "PyYAML")
OPTIONAL = {"ai-edge-litert": "the face mesh, the best and fastest face detector", "realesrgan": "the reference engine of Super Resolve",
            "ray": "many machines", "transformers": "HuBERT speech features", "onnxruntime": "WeNet speech features"}
TWINS = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")}


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("doctor", help="print versions, devices, weights found and missing, and what to do about each")
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command; the exit status is 1 when something required is missing."""
    missing = 0
    for title, rows in (("Machine", machine()), ("Packages", packages()), ("Video", encoders()), ("Weights", weights())):
        print(f"\n{title}")
        for good, text in rows:
            print(f"  {'ok  ' if good else 'MISS' if good is None else 'note'} {text}")
            missing += good is None
    print(f"\n{'Everything required is here.' if not missing else f'{missing} required thing(s) missing; see MISS above.'}")
    return 1 if missing else 0


Row = tuple[bool | None, str]
"""True: fine; False: worth knowing; None: required and missing."""


def machine() -> Iterator[Row]:
    """Describe CPU, memory, disk and GPU."""
    yield True, f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {worker_count()} CPU cores"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        yield True, f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB of memory"
    yield True, f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB free on this disk"
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(i)
            yield True, f"GPU {i}: {card.name}, {card.total_memory / 2**30:.1f} GiB"
    else:
        yield False, "no CUDA GPU is seen by torch; everything runs on the CPU"


def packages() -> Iterator[Row]:
    """List the packages in use with their versions."""
    for name in REQUIRED:
        for twin in (name, *TWINS.get(name, ())):
            version = _version(twin)
            if version:
                yield True, f"{twin} {version}"
                break
        else:
            yield None, f"{name} is not installed: pip install {name}"
    for name, use in OPTIONAL.items():
        version = _version(name)
        yield bool(version), f"{name} {version}" if version else f"{name} (optional: {use}): pip install {name}"


def encoders() -> Iterator[Row]:
    """List which codecs this build of FFmpeg can write."""
    yield True, f"FFmpeg {av.ffmpeg_version_info} inside PyAV {av.__version__}"
    for codec, encoder in (("h264", "libx264"), ("h265", "libx265"), ("vp9", "libvpx-vp9"), ("prores", "prores_ks"), ("ffv1", "ffv1")):
        there = encoder in av.codecs_available
        cure = f"cannot write {codec}: this PyAV was built without {encoder}; pip install --force-reinstall av"
        yield there, f"writes {codec}" if there else cure


def weights() -> Iterator[Row]:
    """List the published checkpoints with where each lies, or where it belongs and where it is to be had."""
    for checkpoint in CATALOGUE:
        path = find_model(checkpoint.folder, checkpoint.file)
        if path:
            yield True, f"{checkpoint.name} ({checkpoint.task}): {path}"
        else:
            yield False, f"{checkpoint.name} ({checkpoint.task}, {checkpoint.licence}) is not here: {_cure(checkpoint)}"


def _cure(checkpoint: Checkpoint) -> str:
    """Say how to get a checkpoint."""
    if can_be_fetched(checkpoint):
        return f"talkies models get {checkpoint.name}"
    return f"put {checkpoint.file} into {model_folders(checkpoint.folder)[0]}, from {checkpoint.url}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
