"""Colours come in by the standards' arithmetic and go out by the same: nothing shifts, whatever the tags."""
from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from video_making import bar_interiors, bars, picture_of, planes, reference_ycc, write_pictures

from talkies.core.video.clip import Chunk, ClipInfo, Colour
from talkies.core.video.encoding import Encoding
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource

RANGES = {"limited": 1, "full": 2, "unspecified range": 0}
MATRICES = {"bt601": 6, "bt709": 1, "unspecified": 2, "bt2020": 9}


def write(path, frames, info, **encoding):
    with create_sink(path, info, Encoding(**encoding)) as sink:
        sink.write(Chunk(0, frames, tuple(range(len(frames)))))
    return path


def read(path):
    with FileSource(path) as source:
        return source.info, np.concatenate([chunk.frames for chunk in source.chunks(4)])


def levels(frames):
    return frames[..., :3].astype(np.float64) * 255


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
@pytest.mark.parametrize("colour_range", RANGES.values(), ids=RANGES.keys())
class TestTagged:
    def test_file_by_the_standard_is_read_within_a_level(self, tmp_path, colour_range, matrix, bits):
        true_matrix = matrix if matrix != 2 else 5  # 64 lines: BT.601
        picture = picture_of(bars(), "yuv420p" if bits == 8 else "yuv420p10le", true_matrix, colour_range == 2)
        path = write_pictures(tmp_path / "bars.mp4", [picture], tags=(colour_range, matrix, 2, 2))
        info, frames = read(path)
        assert (info.colour.range or 1, info.colour.matrix, info.bit_depth) == (colour_range or 1, matrix, bits)
        # Half a code of each of Y, Cb and Cr, rounded once more: up to 1.2 (8 bits, limited) as the coefficients add up.
        error = np.abs(levels(frames[0]) - bars())[:, bar_interiors()]
        assert error.max() <= (1.9 if bits == 8 else 0.45) and error.mean() < (0.6 if bits == 8 else 0.2)

    def test_what_is_written_is_the_standard(self, tmp_path, colour_range, matrix, bits):
        info = ClipInfo(320, 64, Fraction(25), Fraction(1, 25), pixel_format="yuv420p" if bits == 8 else "yuv420p10le",
                        bit_depth=bits, colour=Colour(colour_range, matrix, 2, 2))
        path = write(tmp_path / "bars.mp4", (bars()[None] / 255).astype(np.float32), info, quality=0)
        with av.open(str(path)) as container:
            picture = next(container.decode(video=0))
        expected = reference_ycc(bars(), matrix if matrix != 2 else 5, colour_range == 2, bits)
        assert picture.format.name.replace("yuvj", "yuv") == info.pixel_format
        for plane, values in zip(planes(picture), expected, strict=True):
            step = 320 // plane.shape[1]
            inner = bar_interiors()[::step]
            error = plane[:, inner].astype(np.float64) - values[:: 64 // plane.shape[0], ::step][:, inner]
            assert np.abs(error).max() <= 1.0

    def test_h264_comes_back_within_two_levels(self, tmp_path, colour_range, matrix, bits):
        info = BatchSource(np.zeros((1, 64, 320, 3), np.float32)).info
        info = ClipInfo(320, 64, info.fps, info.time_base, pixel_format="yuv420p" if bits == 8 else "yuv420p10le", bit_depth=bits,
                        colour=Colour(colour_range, matrix, 1, 1))
        path = write(tmp_path / "bars.mp4", np.repeat((bars()[None] / 255).astype(np.float32), 5, 0), info)
        back, frames = read(path)
        assert back.colour == replace(info.colour, range=colour_range or 1) and back.bit_depth == bits
        assert np.abs(levels(frames) - bars())[:, :, bar_interiors()].max() <= 2.0


@pytest.mark.parametrize("lines,matrix", [(576, 5), (578, 1)])
def test_matrix_nobody_wrote_follows_the_number_of_lines(tmp_path, lines, matrix):
    path = write_pictures(tmp_path / "bars.mp4", [picture_of(bars(lines), "yuv420p", matrix, False)])
    info, frames = read(path)
    assert info.colour.matrix == 2
    assert np.abs(levels(frames[0]) - bars(lines))[:, bar_interiors()].max() <= 1.9


@pytest.mark.parametrize("codec,suffix,bits", [("h264", ".mp4", 8), ("h265", ".mp4", 8), ("vp9", ".webm", 8), ("prores", ".mov", 10),
                                               ("h265", ".mkv", 12)])
def test_every_codec_keeps_colours_and_depth(tmp_path, codec, suffix, bits):
    formats = {8: "yuv420p", 10: "yuv422p10le", 12: "yuv444p12le"}
    source = BatchSource(np.repeat((bars()[None] / 255).astype(np.float32), 3, 0))
    info = ClipInfo(320, 64, source.info.fps, source.info.time_base, pixel_format=formats[bits], bit_depth=bits, colour=Colour(1, 1, 1, 1))
    back, frames = read(write(tmp_path / f"bars{suffix}", source._frames, info, codec=codec))
    assert (back.bit_depth, back.pixel_format, back.colour) == (bits, formats[bits], info.colour)
    assert np.abs(levels(frames) - bars())[:, :, bar_interiors()].max() <= 2.0


class TestLossless:
    @pytest.mark.parametrize("channels", [3, 4])
    def test_eight_bits_come_back_bit_for_bit(self, tmp_path, channels, rng):
        frames = (rng.integers(0, 256, (5, 37, 53, channels)) / np.float32(255)).astype(np.float32)
        source = BatchSource(frames)
        back, got = read(write(tmp_path / "x.mkv", frames, source.info, codec="ffv1"))
        assert back.has_alpha == (channels == 4) and got.dtype == np.float32
        assert np.array_equal(got, frames)

    @pytest.mark.parametrize("channels", [3, 4])
    def test_sixteen_bits_come_back_bit_for_bit(self, tmp_path, channels, rng):
        frames = (rng.integers(0, 65536, (3, 140, 150, channels)) / np.float32(65535)).astype(np.float32)
        back, got = read(write(tmp_path / "x.mkv", frames, BatchSource(frames, bit_depth=16).info, codec="ffv1"))
        assert back.bit_depth == 16
        assert np.array_equal(got, frames)

    def test_decoded_frames_do_not_move_when_they_go_round_again(self, tmp_path, rng):
        """4:4:4 8-bit YUV -> frames -> YUV at quality 0: within a code of where it started, after three generations."""
        pictures = [picture_of(rng.integers(40, 216, (32, 48, 3), np.uint8), "yuv444p", 1, False)]
        path = write_pictures(tmp_path / "0.mp4", pictures, tags=(1, 1, 1, 1))
        start = np.stack(planes(next(iter(av.open(str(path)).decode(video=0)))))
        for generation in range(1, 4):
            info, frames = read(path)
            path = write(tmp_path / f"{generation}.mp4", frames, info, quality=0)
        end = np.stack(planes(next(iter(av.open(str(path)).decode(video=0)))))
        assert np.abs(end.astype(int) - start).max() <= 1
        assert abs((end.astype(float) - start).mean()) < 0.02


def test_values_beyond_the_range_are_clipped(tmp_path):
    frames = np.stack([np.full((32, 32, 3), v, np.float32) for v in (-1.0, 2.0)])
    _, got = read(write(tmp_path / "x.mkv", frames, BatchSource(frames).info, codec="ffv1"))
    assert got[0].max() == 0 and got[1].min() == 1


@pytest.mark.parametrize("full", [False, True])
def test_gray_files_come_as_rgb(tmp_path, full):
    picture = av.VideoFrame(64, 32, "gray")
    code = 255 if full else 235
    np.frombuffer(picture.planes[0], np.uint8)[...] = code
    path = write_pictures(tmp_path / "gray.mkv", [picture], codec="ffv1", tags=(2 if full else 1, 2, 2, 2))
    info, frames = read(path)
    assert info.pixel_format == "gray" and frames.shape == (1, 32, 64, 3)
    assert frames.min() == frames.max() == 1.0


def test_one_channel_frames_are_written_as_gray_rgb(tmp_path, rng):
    frames = (rng.integers(0, 256, (2, 32, 32, 1)) / np.float32(255)).astype(np.float32)
    _, got = read(write(tmp_path / "x.mkv", frames, BatchSource(frames).info, codec="ffv1"))
    assert np.array_equal(got, np.repeat(frames, 3, 3))


@pytest.mark.parametrize("codec,suffix", [("prores", ".mov"), ("vp9", ".webm"), ("ffv1", ".mkv")])
def test_alpha_is_kept(tmp_path, codec, suffix):
    frames = np.full((3, 64, 64, 4), 0.5, np.float32)
    frames[..., 3] = np.linspace(0, 1, 64, dtype=np.float32)
    info, got = read(write(tmp_path / f"x{suffix}", frames, BatchSource(frames).info, codec=codec))
    assert info.has_alpha and got.shape == frames.shape
    assert np.abs(got[..., 3] - frames[..., 3]).max() < 0.03


def test_alpha_that_cannot_be_kept_is_told(tmp_path, caplog):
    frames = np.full((1, 64, 64, 4), 0.5, np.float32)
    _, got = read(write(tmp_path / "x.mp4", frames, BatchSource(frames).info))
    assert got.shape == (1, 64, 64, 3)
    assert "stores no alpha" in caplog.text


def test_depth_the_encoder_lacks_is_told(tmp_path, caplog):
    frames = np.repeat((bars()[None] / 255).astype(np.float32), 2, 0)
    info, _ = read(write(tmp_path / "x.mp4", frames, replace(BatchSource(frames).info, bit_depth=12, pixel_format="yuv420p12le")))
    assert info.pixel_format == "yuv420p10le" and "stores 10 bits here, the source has 12" in caplog.text
