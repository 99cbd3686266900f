"""Stills, folders and arrays as clips."""
from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from talkies.core.video.clip import VideoError
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, open_source
from talkies.core.video.stills import FolderSink, write_image


def frames_of(path, size=4):
    with open_source(path) as source:
        return source.info, np.concatenate([chunk.frames for chunk in source.chunks(size)])


def write(path, frames, **info):
    source = BatchSource(frames, **info)
    with create_sink(path, source.info) as sink:
        for chunk in source.chunks(2):
            sink.write(chunk)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("depth", [8, 16])
def test_stills_come_back_bit_for_bit(tmp_path, rng, suffix, depth, channels):
    top = 2**depth - 1
    frames = (rng.integers(0, top + 1, (1, 21, 33, channels)) / np.float32(top)).astype(np.float32)
    write(tmp_path / f"x{suffix}", frames, bit_depth=depth)
    info, got = frames_of(tmp_path / f"x{suffix}")
    assert info.bit_depth == depth and info.has_alpha == (channels == 4) and info.frames == 1
    assert np.array_equal(got, frames)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_other_images_are_close(tmp_path, suffix):
    frames = np.full((1, 16, 24, 4), 0.25, np.float32)
    frames[..., 0] = 0.75
    write(tmp_path / f"x{suffix}", frames)
    _, got = frames_of(tmp_path / f"x{suffix}")
    assert np.abs(got[..., :3] - frames[..., :3]).max() < 0.02


def test_a_folder_is_read_in_natural_order(tmp_path):
    for index in (1, 2, 10, 9, 100):
        write_image(tmp_path / f"frame{index}.png", np.full((4, 4, 3), index / 255, np.float32))
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / ".hidden.png").write_text("not a frame")
    info, got = frames_of(tmp_path, 2)
    assert info.frames == 5
    assert np.rint(got[:, 0, 0, 0] * 255).tolist() == [1, 2, 9, 10, 100]


def test_folder_is_written_by_place_in_the_clip(tmp_path, rng):
    frames = (rng.integers(0, 256, (5, 8, 8, 3)) / np.float32(255)).astype(np.float32)
    write(tmp_path / "out", frames)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{i:06d}.png" for i in range(5)]
    assert np.array_equal(frames_of(tmp_path / "out")[1], frames)


def test_folder_of_another_kind(tmp_path):
    source = BatchSource(np.full((2, 8, 8, 3), 0.5, np.float32))
    with FolderSink(tmp_path / "out", source.info, ".jpg") as sink:
        sink.write(next(source.chunks(2)))
    assert sorted(p.suffix for p in (tmp_path / "out").iterdir()) == [".jpg", ".jpg"]
    with pytest.raises(VideoError, match="are not written"):
        FolderSink(tmp_path / "other", source.info, ".gif")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_come_back_with_every_bit(tmp_path, rng, channels):
    frames = rng.normal(0.5, 2.0, (7, 6, 5, channels)).astype(np.float32)
    write(tmp_path / "x.npy", frames)
    loaded = np.load(tmp_path / "x.npy")
    assert loaded.dtype == np.float32 and np.array_equal(loaded, frames)
    info, got = frames_of(tmp_path / "x.npy", 3)
    assert info.frames == 7 and np.array_equal(got, frames)


def test_one_frame_and_other_dtypes_of_array(tmp_path, rng):
    array = rng.integers(0, 256, (6, 5, 3), np.uint8)
    np.save(tmp_path / "x.npy", array)
    info, got = frames_of(tmp_path / "x.npy")
    assert info.frames == 1 and np.array_equal(got[0], (array / np.float32(255)).astype(np.float32))


@pytest.mark.parametrize("array", [np.zeros((3, 4)), np.zeros((2, 4, 4, 2)), np.zeros((0, 4, 4, 3))])
def test_arrays_that_are_no_frames_are_refused(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(VideoError, match="is wanted"):
        open_source(tmp_path / "x.npy")


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(VideoError, match="cannot be read as an array"):
        open_source(tmp_path / "x.npy")


def test_gray_and_palette_stills_come_as_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((4, 6), 99, np.uint8))
    info, got = frames_of(tmp_path / "gray.png")
    assert got.shape == (1, 4, 6, 3) and np.rint(got * 255).max() == 99 and not info.has_alpha


def test_rate_of_stills_is_given(tmp_path):
    write_image(tmp_path / "x.png", np.zeros((4, 4, 3), np.float32))
    with open_source(tmp_path / "x.png", fps=23.976) as source:
        assert source.info.fps == Fraction(24000, 1001) and source.info.time_base == Fraction(1001, 24000)


def test_refused_folders_and_images(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoError, match="holds no image"):
        open_source(tmp_path / "empty")
    (tmp_path / "x.png").write_bytes(b"nonsense")
    with pytest.raises(VideoError, match="cannot be read as an image"):
        open_source(tmp_path / "x.png")
    with pytest.raises(VideoError, match="does not exist"):
        open_source(tmp_path / "y.png")
    (tmp_path / "mixed").mkdir()
    write_image(tmp_path / "mixed" / "1.png", np.zeros((4, 4, 3), np.float32))
    write_image(tmp_path / "mixed" / "2.png", np.zeros((4, 5, 3), np.float32))
    with pytest.raises(VideoError, match=r"2\.png has shape \[4, 5, 3\]"):
        frames_of(tmp_path / "mixed")


def test_sound_for_stills_is_told(tmp_path, caplog):
    from talkies.core.video.audio_copy import EncodeAudio

    source = BatchSource(np.zeros((1, 4, 4, 3), np.float32))
    with create_sink(tmp_path / "x.png", source.info, audio=EncodeAudio(np.zeros((1, 9), np.float32), 8000)) as sink:
        sink.write(next(source.chunks(1)))
    assert "the sound is left out" in caplog.text


def test_jpeg_turns_are_applied(tmp_path):
    write_image(tmp_path / "x.jpg", np.zeros((16, 32, 3), np.float32))
    content = (tmp_path / "x.jpg").read_bytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6: a quarter turn
    (tmp_path / "x.jpg").write_bytes(content[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + content[2:])
    assert frames_of(tmp_path / "x.jpg")[1].shape == (1, 32, 16, 3)


def test_batch_chunks_are_views(rng):
    frames = rng.random((5, 4, 4, 3), np.float32)
    chunks = list(BatchSource(frames).chunks(2))
    assert [c.start for c in chunks] == [0, 2, 4] and [c.times for c in chunks] == [(0, 1), (2, 3), (4,)]
    assert all(np.shares_memory(c.frames, frames) for c in chunks)
