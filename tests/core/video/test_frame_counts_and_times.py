"""Frames out are frames in, each at its own time: every length, every rate, even and uneven."""
from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_making import gray_pictures, write_pictures

from talkies.core.video.clip import Chunk, ClipInfo, Colour, VideoError
from talkies.core.video.encoding import Encoding
from talkies.core.video.sink import create_sink, decoding_times
from talkies.core.video.source import BatchSource, FileSource, exact_fps
from talkies.core.video.timeline import Timeline

RATES = [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(30), Fraction(50), Fraction(60000, 1001), Fraction(60),
         Fraction(8)]
LIMITED = Colour(1, 1, 1, 1)


def numbered(count):
    """Frames that tell their index by their brightness, 10 levels apart."""
    frames = np.empty((count, 16, 16, 3), np.float32)
    frames[...] = ((20 + 10 * np.arange(count)) / np.float32(255))[:, None, None, None]
    return frames


def indices(frames):
    return np.rint((frames.mean((1, 2, 3)) * 255 - 20) / 10).astype(int).tolist()


def read(path, size=5):
    with FileSource(path) as source:
        chunks = list(source.chunks(size))
    return source.info, np.concatenate([c.frames for c in chunks]), [t for c in chunks for t in c.times], [c.start for c in chunks]


@pytest.mark.parametrize("codec,suffix", [("h264", ".mp4"), ("ffv1", ".mkv")])
@pytest.mark.parametrize("fps", RATES, ids=str)
def test_every_length_at_every_rate(tmp_path, fps, codec, suffix):
    for count in range(1, 13):
        path = tmp_path / f"{count}{suffix}"
        source = BatchSource(numbered(count), fps)
        with create_sink(path, source.info, Encoding(codec, speed="fast")) as sink:
            for chunk in source.chunks(4):
                sink.write(chunk)
        info, frames, times, starts = read(path)
        assert indices(frames) == list(range(count))
        assert starts == list(range(0, count, 5))
        assert info.frames == count and info.fps == fps
        seconds = [t * info.time_base for t in times]
        if suffix == ".mp4":
            assert seconds == [i / fps for i in range(count)]
        else:  # Matroska counts milliseconds
            assert all(abs(s - i / fps) <= Fraction(1, 2000) for i, s in enumerate(seconds))


@pytest.mark.parametrize("codec,suffix", [("h265", ".mp4"), ("vp9", ".webm"), ("prores", ".mov"), ("h264", ".mov")])
def test_other_codecs_lose_no_frame(tmp_path, codec, suffix):
    for count in (1, 2, 7):
        frames = np.repeat(np.repeat(numbered(count), 4, 1), 4, 2)
        source = BatchSource(frames, Fraction(30000, 1001))
        with create_sink(tmp_path / f"x{suffix}", source.info, Encoding(codec, speed="fast")) as sink:
            for chunk in source.chunks(3):
                sink.write(chunk)
        info, back, _, _ = read(tmp_path / f"x{suffix}")
        assert indices(back) == list(range(count)) and info.fps == Fraction(30000, 1001)


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.integers(1, 9000), min_size=0, max_size=10), start=st.integers(0, 90000),
       base=st.sampled_from([90000, 12800, 30000, 600]))
def test_uneven_times_are_kept_exactly(tmp_path_factory, steps, start, base):
    path = tmp_path_factory.mktemp("vfr") / "x.mp4"
    times = np.cumsum([start, *steps]).tolist()
    info = ClipInfo(16, 16, Fraction(25), Fraction(1, base), colour=LIMITED)
    with create_sink(path, info, Encoding(speed="fast")) as sink:
        sink.write(Chunk(0, numbered(len(times)), tuple(times)))
    back, frames, read_times, _ = read(path)
    assert [t * back.time_base for t in read_times] == [Fraction(t, base) for t in times]
    assert indices(frames) == list(range(len(times)))
    # and once more, from file to file
    again = path.with_name("again.mp4")
    with FileSource(path) as source, create_sink(again, source.info) as sink:
        for chunk in source.chunks(3):
            sink.write(chunk)
    second, _, second_times, _ = read(again)
    assert [t * second.time_base for t in second_times] == [Fraction(t, base) for t in times]


@given(st.integers(1, 13))
@settings(max_examples=13, deadline=None)
def test_where_chunks_are_cut_never_shows(tmp_path_factory, size):
    path = write_pictures(tmp_path_factory.mktemp("cut") / "x.mp4", gray_pictures(11))
    _, frames, times, starts = read(path, size)
    _, whole, whole_times, _ = read(path, 100)
    assert np.array_equal(frames, whole) and times == whole_times
    assert starts == list(range(0, 11, size))


def test_a_source_reads_again_from_the_beginning(tmp_path):
    path = write_pictures(tmp_path / "x.mp4", gray_pictures(6))
    with FileSource(path) as source:
        first = next(source.chunks(2))  # left half-way
        runs = [[c.start for c in source.chunks(4)] for _ in range(2)]
        again = next(source.chunks(2))
    assert runs == [[0, 4], [0, 4]]
    assert np.array_equal(first.frames, again.frames)
    assert first.frames is not again.frames


def test_two_frame_h265_clips_are_written_every_time(tmp_path):
    """x265 gives random decoding times for them, which the muxer refuses now and then."""
    source = BatchSource(np.repeat(np.repeat(numbered(2), 4, 1), 4, 2))
    for _ in range(12):
        with create_sink(tmp_path / "x.mp4", source.info, Encoding("h265", speed="fast")) as sink:
            sink.write(next(source.chunks(2)))
        assert indices(read(tmp_path / "x.mp4")[1]) == [0, 1]


@given(st.permutations(range(0, 700, 100)))
def test_decoding_times_come_before_and_increase(shown):
    decoded = decoding_times(list(shown))
    assert all(d <= s for d, s in zip(decoded, shown, strict=True)) and decoded == sorted(set(decoded))


class TestTimeline:
    def test_good_times_come_out_as_they_are(self):
        timeline = Timeline(40)
        assert [timeline.place(t) for t in (-80, -40, 0, 45, 100, 5000)] == [-80, -40, 0, 45, 100, 5000]

    def test_missing_times_follow_by_a_step(self):
        timeline = Timeline(40)
        assert [timeline.place(t) for t in (None, None, None)] == [0, 40, 80]

    def test_a_doubled_time_moves_no_other_frame(self):
        timeline = Timeline(40)
        assert [timeline.place(t) for t in (0, 40, 40, 80, 120)] == [0, 40, 60, 80, 120]

    def test_a_clock_that_starts_over_goes_on(self):
        timeline = Timeline(40)
        assert [timeline.place(t) for t in (4000, 4040, 0, 40, 80)] == [4000, 4040, 4080, 4120, 4160]

    @given(st.lists(st.one_of(st.none(), st.integers(-10**6, 10**6)), max_size=60), st.integers(0, 5000))
    def test_whatever_comes_in_times_increase(self, stated, step):
        timeline = Timeline(step)
        times = [timeline.place(t) for t in stated]
        assert all(a < b for a, b in pairwise(times))


def test_raw_stream_without_times_gets_even_ones(tmp_path):
    path = write_pictures(tmp_path / "x.h264", gray_pictures(9), options={"qp": "0", "bf": "2"})
    info, frames, times, _ = read(path)
    assert len(frames) == 9 and info.frames == 9
    assert len({b - a for a, b in pairwise(times)}) == 1


def test_transport_stream_clock_starts_at_zero(tmp_path):
    path = write_pictures(tmp_path / "x.ts", gray_pictures(5))
    info, frames, times, _ = read(path)
    assert len(frames) == 5
    assert [t * info.time_base for t in times] == [Fraction(i, 25) for i in range(5)]


def test_times_that_do_not_increase_are_refused(tmp_path):
    info = BatchSource(numbered(2)).info
    with pytest.raises(VideoError, match="times must increase"), create_sink(tmp_path / "x.mp4", info) as sink:
        sink.write(Chunk(0, numbered(2), (3, 3)))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("given_fps,exact", [(23.976, Fraction(24000, 1001)), (29.97, Fraction(30000, 1001)),
                                             (59.94, Fraction(60000, 1001)), (25, Fraction(25)), (25.0, Fraction(25)),
                                             (12.5, Fraction(25, 2)), (Fraction(8), Fraction(8))])
def test_rates_written_as_decimals_are_taken_for_the_real_ones(given_fps, exact):
    assert exact_fps(given_fps) == exact
