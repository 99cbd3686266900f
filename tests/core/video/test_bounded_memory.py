"""Memory does not grow with the clip, and chunks fit the budget they are cut for."""
from __future__ import annotations

import sys
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_making import write_sound

from talkies.core.operation import Operation, stream
from talkies.core.video.audio_copy import CopyAudio
from talkies.core.video.clip import Chunk
from talkies.core.video.encoding import Encoding
from talkies.core.video.memory import chunk_frames
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def looped(source, turns):
    """The clip again and again, as one long clip."""
    start = 0
    for _ in range(turns):
        for chunk in source.chunks(8):
            yield Chunk(start, chunk.frames, tuple(range(start, start + len(chunk.frames))))
            start += len(chunk.frames)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ten_times_the_clip_takes_no_more_memory(tmp_path):
    sound = write_sound(tmp_path / "sound.mkv", "flac", seconds=24, video=False)
    small = BatchSource(np.random.default_rng(0).random((30, 240, 320, 3), np.float32)).info
    with create_sink(tmp_path / "small.mp4", small, Encoding(speed="fast")) as sink:
        for chunk in BatchSource(np.random.default_rng(0).random((30, 240, 320, 3), np.float32)).chunks(30):
            sink.write(chunk)
    peaks = {}
    with FileSource(tmp_path / "small.mp4") as source:
        info = replace(source.info, time_base=Fraction(1, 25))
        for turns in (2, 2, 12):  # the first run warms every cache up
            tracemalloc.start()
            most = 0
            with create_sink(tmp_path / "long.mp4", info, Encoding(speed="fast"), CopyAudio(sound)) as sink:
                for chunk in looped(source, turns):
                    sink.write(chunk)
                    most = max(most, resident())
            peaks[turns] = most, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    clip = 12 * 30 * 240 * 320 * 3 * 4
    assert clip > 300e6  # what the long run would take if it were held
    assert peaks[12][1] < peaks[2][1] + 2e6
    assert peaks[12][0] < peaks[2][0] + 30e6


class Twice(Operation):
    """Nearest neighbour, twice the size, looking one frame to each side."""

    radius = 1
    scale = Fraction(2)

    def apply(self, frames, start, progress):
        return np.repeat(np.repeat(frames, 2, 1), 2, 2)


@pytest.mark.parametrize("budget", [64, 200])
def test_a_streamed_operation_stays_within_the_budget(budget):
    info = BatchSource(np.zeros((1, 240, 320, 3), np.float32)).info
    size = chunk_frames(info, budget, 2, 1)

    def clip():
        for start in range(0, 5 * size, size):
            yield start, np.zeros((size, 240, 320, 3), np.float32)

    tracemalloc.start()
    for _ in stream(Twice(), clip()):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 1 and peak <= budget * 2**20


def test_at_least_one_frame_a_chunk():
    info = BatchSource(np.zeros((1, 8, 8, 3), np.float32)).info
    assert chunk_frames(replace(info, width=7680, height=4320), 16, 4, 8) == 1
    assert chunk_frames(info, 1) > chunk_frames(info, 1, 2) > chunk_frames(info, 1, 2, 3)
    assert chunk_frames(replace(info, has_alpha=True), 1) < chunk_frames(info, 1)
