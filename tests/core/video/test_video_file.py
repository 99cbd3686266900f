"""Reading files as they come: turned, odd-sized, in memory, damaged, with cover art, or no video at all."""
from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from video_making import gray_pictures, picture_of, turn_mp4, write_pictures, write_sound

from talkies.core.video.clip import VideoError
from talkies.core.video.encoding import Encoding
from talkies.core.video.pixels import layout_of
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource, open_source


def frames_of(source, size=4):
    with source:
        return np.concatenate([chunk.frames for chunk in source.chunks(size)])


def test_file_in_memory_reads_as_on_disk(tmp_path):
    path = write_pictures(tmp_path / "x.mp4", gray_pictures(5))
    held = BytesIO(path.read_bytes())
    held.seek(100)
    source = FileSource(held)
    assert np.array_equal(frames_of(source), frames_of(FileSource(path)))
    assert np.array_equal(frames_of(source), frames_of(FileSource(path)))
    assert held.tell() == 100


@pytest.mark.parametrize("matrix,turn", [
    ((1, 0, 0, 1), lambda f: f), ((0, 1, -1, 0), lambda f: np.rot90(f, -1)), ((-1, 0, 0, -1), lambda f: np.rot90(f, 2)),
    ((0, -1, 1, 0), lambda f: np.rot90(f, 1)), ((-1, 0, 0, 1), lambda f: f[:, ::-1]), ((1, 0, 0, -1), lambda f: f[::-1]),
    ((0, 1, 1, 0), lambda f: f.transpose(1, 0, 2)), ((0, -1, -1, 0), lambda f: np.rot90(f, 2).transpose(1, 0, 2))])
def test_turned_clips_come_upright(tmp_path, rng, matrix, turn):
    """The display matrix maps (x, y) to (a x + c y, b x + d y): ISO 14496-12, 6.2.2. Its turn by 90 degrees is clockwise on screen."""
    corner = np.full((32, 48, 3), 60, np.uint8)
    corner[:8, :8] = 220
    path = write_pictures(tmp_path / "x.mp4", [picture_of(corner, "yuv444p", 5, False)], aspect=Fraction(4, 3))
    plain = frames_of(FileSource(path))[0]
    turned = FileSource(turn_mp4(path, matrix))
    expected = turn(plain)
    assert (turned.info.height, turned.info.width) == expected.shape[:2]
    assert turned.info.sample_aspect == (Fraction(3, 4) if matrix[0] == 0 else Fraction(4, 3))
    assert np.array_equal(frames_of(turned)[0], expected)


@pytest.mark.parametrize("codec,suffix", [("h264", ".mp4"), ("h265", ".mp4"), ("vp9", ".webm"), ("prores", ".mov"), ("ffv1", ".mkv")])
@pytest.mark.parametrize("size", [(33, 47), (34, 47), (33, 48)])
def test_odd_sizes_are_kept(tmp_path, codec, suffix, size):
    frames = np.full((3, *size, 3), 0.5, np.float32)
    with create_sink(tmp_path / f"x{suffix}", BatchSource(frames).info, Encoding(codec)) as sink:
        sink.write(next(BatchSource(frames).chunks(3)))
    back = FileSource(tmp_path / f"x{suffix}")
    assert (back.info.height, back.info.width) == size
    got = frames_of(back)
    assert got.shape == frames.shape and np.abs(got - 0.5).max() < 0.02
    if codec in ("h264", "h265"):
        assert layout_of(back.info.pixel_format).chroma == "444"


@pytest.mark.parametrize("source_format,codec,expected", [
    ("yuv420p", "h264", "yuv420p"), ("yuv422p", "h264", "yuv422p"), ("yuv444p10le", "h264", "yuv444p10le"), ("yuvj420p", "h264", "yuv420p"),
    ("nv12", "h265", "yuv420p"), ("p010le", "h265", "yuv420p10le"), ("yuv411p", "h264", "yuv420p"), ("yuv440p", "h264", "yuv444p"),
    ("bgr0", "h264", "yuv420p"), (None, "h264", "yuv420p"), ("yuv444p", "prores", "yuv444p10le"), ("yuv420p", "prores", "yuv422p10le"),
    ("gray", "h264", "yuv420p"), ("yuv420p10le", "ffv1", "gbrp16le"), ("yuv420p", "ffv1", "bgr0"), ("yuv422p", "vp9", "yuv422p")])
def test_auto_keeps_what_the_codec_can(source_format, codec, expected):
    from dataclasses import replace

    info = replace(BatchSource(np.zeros((1, 32, 32, 3), np.float32)).info, pixel_format=source_format,
                   bit_depth=layout_of(source_format).depth if source_format else 8)
    assert Encoding(codec).pixel_format_for(info) == expected


def test_asked_for_pixel_format_is_written(tmp_path):
    frames = np.full((2, 32, 32, 3), 0.5, np.float32)
    with create_sink(tmp_path / "x.mp4", BatchSource(frames).info, Encoding(pixel_format="yuv422p10le")) as sink:
        sink.write(next(BatchSource(frames).chunks(2)))
    assert FileSource(tmp_path / "x.mp4").info.pixel_format == "yuv422p10le"


@pytest.mark.parametrize("pixel_format", [
    "yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuv420p9le", "yuv422p10le", "yuv444p12le", "yuv444p14le", "yuv420p16le", "yuva420p",
    "yuva444p10le", "gray", "gray10le", "gray16le", "bgr0", "bgra", "gbrp", "gbrp10le", "gbrap16le", "rgb48le", "ya8",
    "yuv411p", "yuv410p"])
def test_every_pixel_format_reads_mid_gray(tmp_path, pixel_format):
    """Made by libswscale from RGB, read by us: the same gray, so the two agree on what a format means."""
    plain = av.VideoFrame(64, 64, "rgb24")
    np.frombuffer(plain.planes[0], np.uint8)[...] = 150
    codec, suffix = ("utvideo", ".avi") if pixel_format == "gbrp" else ("ffv1", ".mkv")
    path = write_pictures(tmp_path / f"x{suffix}", [plain.reformat(format=pixel_format)], codec=codec)
    info = FileSource(path).info
    frames = frames_of(FileSource(path))
    if pixel_format.startswith("gray"):  # FFmpeg makes gray in full range and writes no tag
        frames = frames.copy()
        frames = (frames * 219 + 16) / 255
    assert np.abs(frames[..., :3] * 255 - 150).max() <= 1.01
    assert info.has_alpha == (frames.shape[-1] == 4) == ("a" in pixel_format.removeprefix("gray"))
    if info.has_alpha:
        assert frames[..., 3].min() == 1.0


def test_sample_aspect_and_colour_tags_are_kept(tmp_path):
    path = write_pictures(tmp_path / "x.mp4", gray_pictures(2), aspect=Fraction(16, 11), tags=(1, 6, 5, 4))
    with FileSource(path) as source, create_sink(tmp_path / "y.mp4", source.info) as sink:
        sink.write(next(source.chunks(2)))
    before, after = FileSource(path).info, FileSource(tmp_path / "y.mp4").info
    assert before.sample_aspect == Fraction(16, 11) and (before.colour.primaries, before.colour.transfer) == (5, 4)
    assert all(getattr(before, name) == getattr(after, name) for name in ("sample_aspect", "colour", "fps", "pixel_format", "frames"))


class TestUnreadable:
    def test_missing(self, tmp_path):
        with pytest.raises(VideoError, match=r"no\.mp4 does not exist\. Check the path"):
            open_source(tmp_path / "no.mp4")

    @pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
    def test_nonsense(self, tmp_path, content):
        (tmp_path / "x.mp4").write_bytes(content)
        with pytest.raises(VideoError, match=r"x\.mp4 cannot be read as a video"):
            open_source(tmp_path / "x.mp4")
        with pytest.raises(VideoError, match="video in memory"):
            open_source(BytesIO(content))

    def test_cut_off(self, tmp_path):
        path = write_pictures(tmp_path / "x.mp4", gray_pictures(10))
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(VideoError, match="Check that the file is complete"):
            open_source(path)

    def test_sound_only(self, tmp_path):
        with pytest.raises(VideoError, match="has no video stream; it holds audio"):
            open_source(write_sound(tmp_path / "x.m4a", "aac", video=False))

    def test_no_frame_in_the_stream(self, tmp_path):
        path = write_pictures(tmp_path / "x.mkv", gray_pictures(2), codec="ffv1")
        with av.open(str(path)) as container:
            packets = [bytes(p) for p in container.demux(video=0) if p.size]
        content = path.read_bytes()
        for packet in packets:
            content = content.replace(packet, bytes(len(packet)))
        path.write_bytes(content)
        with pytest.raises(VideoError, match="holds no frame that can be decoded"):
            open_source(path)

    def test_damage_in_the_middle_is_told_and_the_rest_is_read(self, tmp_path, caplog):
        frames = np.random.default_rng(0).random((8, 32, 32, 3)).astype(np.float32)
        with create_sink(tmp_path / "x.mkv", BatchSource(frames).info, Encoding("ffv1")) as sink:
            sink.write(next(BatchSource(frames).chunks(8)))
        with av.open(str(tmp_path / "x.mkv")) as container:
            packets = [bytes(p) for p in container.demux(video=0) if p.size]
        content = (tmp_path / "x.mkv").read_bytes()
        place = content.index(packets[4])
        (tmp_path / "x.mkv").write_bytes(content[:place] + bytes(len(packets[4])) + content[place + len(packets[4]):])
        got = frames_of(FileSource(tmp_path / "x.mkv"))
        assert 7 <= len(got) <= 8
        assert len(got) == 8 or "damaged" in caplog.text


def test_chunk_size_below_one_is_refused(tmp_path):
    path = write_pictures(tmp_path / "x.mp4", gray_pictures(2))
    for source in (FileSource(path), BatchSource(np.zeros((2, 8, 8, 3), np.float32))):
        with pytest.raises(VideoError, match="at least 1"):
            next(source.chunks(0))
