"""Any part of a clip is what it is in the whole; segments joined are the clip; an interrupted render goes on where it stopped."""
from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkies.core.operation import Chain, Operation, run
from talkies.core.restore.sharpen import Sharpen
from talkies.core.video.clip import Chunk, VideoError
from talkies.core.video.encoding import Encoding
from talkies.core.video.resume import MANIFEST, Job, frame_count, pieces_folder, render_resumable
from talkies.core.video.segments import ENCODER_THREADS, render_segment, segment_length, segments_of
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource

COUNT = 41


class Neighbours(Operation):
    """The mean of five frames: two on each side, fewer at the ends of the clip."""

    radius = 2

    def apply(self, frames, start, progress):
        return np.stack([frames[max(0, i - 2) : i + 3].mean(0) for i in range(len(frames))])

    def to_json(self):
        return {"op": "neighbours"}


def moving(count: int = COUNT) -> np.ndarray:
    wide = np.random.default_rng(0).random((48, 64 + 2 * count, 3)).astype(np.float32)
    wide = np.cumsum(wide - 0.5, axis=1)
    wide = (wide - wide.min()) / (wide.max() - wide.min())
    return np.stack([wide[:, 2 * i : 2 * i + 64] for i in range(count)])


def write(path, times=None, speed="medium", fps=25):
    frames = moving()
    info = BatchSource(frames, fps).info
    if times is not None:
        info = replace(info, time_base=Fraction(1, 1000))
    with create_sink(path, info, Encoding.for_file(path)) as sink:
        sink.write(Chunk(0, frames, tuple(range(len(frames))) if times is None else tuple(times)))
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    uneven = np.cumsum(np.random.default_rng(1).integers(20, 90, COUNT)).tolist()
    made = {name: write(folder / name) for name in ("a.mp4", "b.mkv", "c.webm")}
    return {**made, "uneven": write(folder / "uneven.mp4", uneven)}


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv", "c.webm", "uneven"])
def test_every_part_of_a_file_is_what_it_is_in_the_whole(clips, name):
    with FileSource(clips[name]) as source:
        whole = next(iter(source.chunks(COUNT)))
        assert source.index is not None and source.index.times == whole.times
        for start, stop in ((0, 7), (1, 2), (13, 29), (30, COUNT), (40, 99)):
            parts = list(source.part(start, stop, 5))
            assert parts[0].start == start and [p.start for p in parts] == list(range(start, min(stop, COUNT), 5))
            assert np.array_equal(np.concatenate([p.frames for p in parts]), whole.frames[start:stop])
            assert sum((p.times for p in parts), ()) == whole.times[start:stop]
        assert list(source.part(COUNT + 3, COUNT + 9, 5)) == []


def test_seeking_really_skips(tmp_path, monkeypatch):
    frames = moving()
    path = tmp_path / "keys.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5", "crf": "10"})
        stream.width, stream.height = 64, 48
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray((frame * 255).astype(np.uint8))))
        container.mux(stream.encode(None))
    decoded = []
    pictures = FileSource._pictures
    with FileSource(path) as source:
        assert source.index is not None
        monkeypatch.setattr(FileSource, "_pictures", lambda *a: (decoded.append(p) or p for p in pictures(*a)))
        (part,) = source.part(32, 35, 9)
        assert len(decoded) <= 8
        monkeypatch.undo()
        assert np.array_equal(part.frames, next(iter(source.chunks(COUNT))).frames[32:35])


def test_a_source_without_an_index_is_read_from_its_beginning(clips):
    with FileSource(clips["a.mp4"]) as source:
        source._indexed.append(None)
        (part,) = source.part(20, 24, 9)
        assert part.start == 20 and np.array_equal(part.frames, next(iter(source.chunks(COUNT))).frames[20:24])


@settings(max_examples=30, deadline=None)
@given(frames=st.integers(1, 500), length=st.integers(1, 90))
def test_segments_cover_the_clip_once(frames, length):
    segments = segments_of(frames, length)
    assert [i for s in segments for i in range(s.start, s.stop)] == list(range(frames))
    assert [s.index for s in segments] == list(range(len(segments)))


def test_a_source_of_frames_is_cut_the_same_way_everywhere():
    assert segment_length(BatchSource(moving(2), Fraction(30000, 1001))) == 300


class Interrupted(Exception):
    """Stands for a cancel."""


def render_to(path, source_path, operation, stop_after=None, encoding=None):
    with FileSource(source_path) as source:
        def progress(done, total):
            if stop_after is not None and done >= stop_after:
                raise Interrupted

        job = Job(source, operation, encoding or Encoding.for_file(path), 4)
        return render_resumable(job, source_path, path, frame_count(source), None, progress)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr("talkies.core.video.segments.SECONDS", 0.4)
    monkeypatch.setattr("talkies.core.video.resume.segment_length", lambda source: 10)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_segments_joined_are_the_clip(clips, tmp_path, suffix):
    path = tmp_path / f"joined{suffix}"
    assert render_to(path, clips["uneven"], Neighbours()) == 0
    with FileSource(clips["uneven"]) as source, FileSource(path) as made:
        before, after = next(iter(source.chunks(COUNT))), next(iter(made.chunks(COUNT)))
        wanted = run(Neighbours(), before.frames)
        assert len(after.frames) == COUNT and np.abs(after.frames - wanted).mean() < 0.02
        offsets = np.array(after.times) * made.info.time_base - np.array(before.times) * source.info.time_base
        assert max(abs(float(o)) for o in offsets) <= (0 if suffix == ".mp4" else 0.0011)
    assert not pieces_folder(path).exists() and not list(tmp_path.glob(".*"))


def test_lossless_segments_joined_are_exactly_the_clip(clips, tmp_path):
    path = tmp_path / "joined.mkv"
    render_to(path, clips["a.mp4"], Neighbours(), encoding=Encoding("ffv1"))
    with FileSource(clips["a.mp4"]) as source, FileSource(path) as made:
        wanted = run(Neighbours(), next(iter(source.chunks(COUNT))).frames)
        assert np.abs(next(iter(made.chunks(COUNT))).frames - wanted).max() <= 0.5 / 255 + 1e-6


def test_an_interrupted_render_goes_on_and_the_file_is_the_same_bits(clips, tmp_path):
    (tmp_path / "one").mkdir()
    whole, resumed = tmp_path / "one" / "out.mp4", tmp_path / "out.mp4"
    render_to(whole, clips["a.mp4"], Neighbours())
    with pytest.raises(Interrupted):
        render_to(resumed, clips["a.mp4"], Neighbours(), stop_after=27)
    assert not resumed.exists() and len(list(pieces_folder(resumed).glob("*.mp4"))) == 2
    assert render_to(resumed, clips["a.mp4"], Neighbours()) == 20
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_damaged_segment_is_rendered_again(clips, tmp_path):
    path = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        render_to(path, clips["a.mp4"], Sharpen(), stop_after=27)
    piece = sorted(pieces_folder(path).glob("*.mp4"))[0]
    piece.write_bytes(piece.read_bytes()[:-1] + b"x")
    assert render_to(path, clips["a.mp4"], Sharpen()) == 10
    with FileSource(path) as made:
        assert len(next(iter(made.chunks(99))).frames) == COUNT


def test_another_job_does_not_take_over_its_segments(clips, tmp_path):
    path = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        render_to(path, clips["a.mp4"], Sharpen(), stop_after=27)
    with pytest.raises(VideoError, match="another operation"):
        render_to(path, clips["a.mp4"], Sharpen(strength=0.9))
    with pytest.raises(VideoError, match="another source, fingerprint"):
        render_to(path, clips["b.mkv"], Sharpen())
    (pieces_folder(path) / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(VideoError, match="begin anew"):
        render_to(path, clips["a.mp4"], Sharpen())


def test_a_lost_segment_is_named_and_nothing_gets_the_final_name(clips, tmp_path):
    path = tmp_path / "out.mp4"

    def forgetful(job, missing, finished, progress):
        """Render nothing."""

    with FileSource(clips["a.mp4"]) as source, pytest.raises(VideoError, match="Segments 0, 1, 2, 3, 4 were not rendered"):
        render_resumable(Job(source, Sharpen(), Encoding(), 4), clips["a.mp4"], path, COUNT, renderer=forgetful)
    assert not path.exists()


def test_the_manifest_is_readable_json(clips, tmp_path):
    path = tmp_path / "out.mp4"
    with pytest.raises(Interrupted):
        render_to(path, clips["a.mp4"], Sharpen(), stop_after=12)
    stored = json.loads((pieces_folder(path) / MANIFEST).read_text(encoding="utf-8"))
    assert stored["job"]["operation"]["op"] == "sharpen" and list(stored["segments"]) == ["0"]


class Brighter(Operation):
    """Learns the clip's mean by a survey, and adds it."""

    def __init__(self, mean=None):
        object.__setattr__(self, "mean", mean)

    @property
    def needs_survey(self):
        return self.mean is None

    def survey(self, clip, progress=lambda done, total: None):
        return Brighter(float(np.mean([frames.mean() for _, frames in clip])))

    def apply(self, frames, start, progress):
        return frames + np.float32(self.mean)

    def to_json(self):
        return {"op": "brighter"}


def test_every_link_of_a_chain_surveys_the_clip_before_its_segments_are_rendered(clips, tmp_path):
    path = tmp_path / "out.mkv"
    seen = []

    def renderer(job, missing, finished, progress):
        seen.append(job.operation)
        raise Interrupted

    with FileSource(clips["a.mp4"]) as source, pytest.raises(Interrupted):
        job = Job(source, Chain((Brighter(), Brighter())), Encoding("ffv1"), 4)
        render_resumable(job, clips["a.mp4"], path, COUNT, renderer=renderer)
    first, second = (link.mean for link in seen[0].operations)
    assert first > 0 and second == pytest.approx(2 * first, rel=0.2)


@pytest.mark.parametrize("codec", ["h264", "h265", "vp9"])
def test_a_segment_is_the_same_bits_whatever_the_machine(clips, tmp_path, monkeypatch, codec):
    made = []
    for processors in (1, 7):
        monkeypatch.setattr("talkies.core.parallel.worker_count", lambda n=processors: n)
        with FileSource(clips["a.mp4"]) as source:
            path = tmp_path / f"{processors}.mkv"
            render_segment(source, Sharpen(), segments_of(COUNT, 20)[1], path, Encoding(codec), 4)
            made.append(path)
    packets = []
    for path in made:
        with av.open(str(path)) as container:
            header = bytes(container.streams.video[0].codec_context.extradata or b"")
            packets.append((header, [bytes(p) for p in container.demux(video=0) if p.size]))
            text = b"".join([header, *packets[-1][1]])
            if codec == "h264":
                assert b" threads=%d " % ENCODER_THREADS in text  # x264 writes down what it was told
            assert b"cpuid" not in text and b"numa-pools" not in text  # what x265 would write down of the machine
    assert packets[0] == packets[1]
