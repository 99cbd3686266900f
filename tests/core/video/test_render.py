"""A clip streamed through an operation: same bits as in memory, every frame at its time, nothing left after a cancel."""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from talkies.core.adjust import FrameAdjust
from talkies.core.operation import Chain, FrameOperation, Operation, run
from talkies.core.restore.sharpen import Sharpen
from talkies.core.settings import setting
from talkies.core.video.clip import Chunk, ClipInfo, FrameSource
from talkies.core.video.encoding import Encoding
from talkies.core.video.render import render, rendered_info
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, open_source


@dataclass(frozen=True)
class Blend(Operation):
    reach: int = setting(2, "Neighbours on each side.", low=0, high=9)

    @property
    def radius(self):
        return self.reach

    def apply(self, frames, start, progress):
        return np.stack([frames[max(0, i - self.reach) : i + self.reach + 1].mean(0) for i in range(len(frames))])


@dataclass(frozen=True)
class Double(FrameOperation):
    @property
    def scale(self):
        return Fraction(2)

    def frame(self, frame, index, out):
        out[:] = frame.repeat(2, 0).repeat(2, 1)


class Uneven(FrameSource):
    """Frames at uneven times, as a phone films them; how often it was read."""

    def __init__(self, frames, times):
        self.frames, self.times, self.read = frames, times, 0
        self.info = ClipInfo(frames.shape[2], frames.shape[1], Fraction(25), Fraction(1, 600), len(frames))

    def chunks(self, size):
        self.read += 1
        for i in range(0, len(self.frames), size):
            yield Chunk(i, self.frames[i : i + size], self.times[i : i + size])


@pytest.fixture
def clip(rng):
    return rng.random((11, 12, 16, 3), np.float32)


def rendered(tmp_path, source, operation, size, **options):
    path = tmp_path / "out.npy"
    with create_sink(path, rendered_info(source.info, operation)) as sink:
        assert render(source, sink, operation, size, **options) == len(np.concatenate([c.frames for c in source.chunks(99)]))
    return np.load(path)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 50])
@pytest.mark.parametrize("operation", [
    Sharpen(0.4), Chain((Blend(2), Sharpen(0.4), Blend(1))), Chain((Double(), Blend(3))), Chain((FrameAdjust(contrast=1.5), Blend(1))),
    Chain(),
], ids=lambda o: "+".join(p.name() for p in getattr(o, "operations", (o,))) or "nothing")
def test_streaming_gives_the_bits_of_the_whole_clip(tmp_path, clip, operation, size):
    np.testing.assert_array_equal(rendered(tmp_path, BatchSource(clip), operation, size), run(operation, clip))


@pytest.mark.parametrize("size", [1, 4, 50])
@pytest.mark.parametrize("radius", [0, 2])
def test_uneven_times_are_kept(tmp_path, clip, size, radius):
    times = tuple(int(t) for t in np.cumsum([24, 30, 12, 24, 90, 24, 6, 24, 24, 48, 24]))
    path = tmp_path / "out.mp4"
    source = Uneven(clip, times)
    with create_sink(path, source.info, Encoding("h264", 30)) as sink:
        render(source, sink, Blend(radius), size)
    with open_source(path) as back:
        seconds = [t * back.info.time_base for c in back.chunks(4) for t in c.times]
    assert seconds == [t * source.info.time_base for t in times]


def test_a_survey_reads_the_clip_once_more_and_only_when_asked(tmp_path, clip):
    source = Uneven(clip, tuple(range(len(clip))))
    rendered(tmp_path, source, FrameAdjust(contrast=1.5), 4)
    assert source.read == 2 + 1  # the test's own count of the frames
    source.read = 0
    rendered(tmp_path, source, FrameAdjust(contrast=1.5, pivot="frame"), 4)
    assert source.read == 1 + 1


def test_watchers_see_every_frame_once_in_order(tmp_path, clip):
    before, after = [], []
    rendered(tmp_path, BatchSource(clip), Chain((Sharpen(0.4), Blend(2))), 3, before=lambda c: before.append((c.start, len(c.frames))),
             after=lambda c: after.append((c.start, len(c.frames))))
    for seen in (before, after):
        assert [s for s, _ in seen] == list(np.cumsum([0] + [n for _, n in seen])[:-1]) and sum(n for _, n in seen) == len(clip)


@pytest.mark.parametrize("part", [range(0, 4), range(3, 8), range(5, 6), range(7, 11)])
def test_a_part_is_what_the_whole_has_there(tmp_path, clip, part):
    chain, source, told = Chain((Sharpen(0.4), Blend(2))), BatchSource(clip), []
    made = [], []
    for frames, only in zip(made, (None, part), strict=True):
        with create_sink(tmp_path / f"{only}.mkv", source.info) as sink:
            render(source, sink, chain, 3, lambda done, total: told.append((done, total)), part=only,
                   after=lambda c, frames=frames: frames.append(c.frames.copy()))
    whole, alone = (np.concatenate(frames) for frames in made)
    assert np.array_equal(alone, whole[part.start : part.stop]) and told[-1] == (len(part), len(part))


def test_progress_never_falls_and_ends_at_the_end(tmp_path, clip):
    seen = []
    rendered(tmp_path, BatchSource(clip), Chain((Sharpen(0.4), Blend(4))), 3, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (11, 11) and {total for _, total in seen} == {11} and [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_cancel_is_heard_between_frames_and_leaves_nothing(tmp_path, clip):
    heard = []

    def cancel(done, total):
        heard.append(done)
        if done >= 6:
            raise KeyboardInterrupt

    source = BatchSource(clip)
    with pytest.raises(KeyboardInterrupt), create_sink(tmp_path / "out.mp4", source.info) as sink:
        render(source, sink, Sharpen(0.4), 2, cancel)
    assert heard[-1] < 9 and list(tmp_path.iterdir()) == []
