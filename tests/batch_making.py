"""A small workflow and small videos for batches."""
from __future__ import annotations

import numpy as np

from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource

WORKFLOW = {
    "1": {"class_type": "LoadVideo", "inputs": {"file": "anything.mp4"}},
    "2": {"class_type": "TalkiesSharpen", "inputs": {"strength": 0.4, "mode": "unsharp", "sigma": 1.0, "threshold": 0.0, "luma_only": True,
                                                     "linear_light": False}},
    "3": {"class_type": "TalkiesRenderVideo", "inputs": {"video": ["1", 0], "ops": ["2", 1], "codec": "h264", "quality": -1,
                                                         "speed": "fast", "memory": 0}},
    "4": {"class_type": "SaveVideo", "inputs": {"video": ["3", 0], "filename_prefix": "video/x", "format": "auto", "codec": "auto"}},
}


def write_video(path, frames=6):
    pictures = np.random.default_rng(len(path.name)).random((frames, 32, 48, 3), np.float32)
    with create_sink(path, BatchSource(pictures, 25).info) as sink:
        for chunk in BatchSource(pictures, 25).chunks(frames):
            sink.write(chunk)
    return path


def count(path):
    with FileSource(path) as source:
        return sum(len(chunk.frames) for chunk in source.chunks(9))
