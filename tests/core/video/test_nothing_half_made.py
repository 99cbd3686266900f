"""A sink commits or leaves no trace: no half-written file, no partial, an older output untouched."""
from __future__ import annotations

import numpy as np
import pytest

from talkies.core.video import sink as sink_module
from talkies.core.video.clip import Chunk, VideoError
from talkies.core.video.encoding import Encoding
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, open_source

FRAMES = np.zeros((4, 32, 32, 3), np.float32)
NAMES = ["x.mp4", "x.mov", "x.mkv", "x.webm", "x.npy", "x.png", "folder"]


def first(name):
    return next(BatchSource(FRAMES[:1] if name == "x.png" else FRAMES).chunks(4))


class Stop(BaseException):
    """Like ComfyUI's interrupt."""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stop])
@pytest.mark.parametrize("name", NAMES)
def test_exception_in_the_middle_leaves_nothing(tmp_path, name, error):
    with pytest.raises(error), create_sink(tmp_path / name, BatchSource(FRAMES).info) as sink:
        sink.write(first(name))
        assert not (tmp_path / name).exists()
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [n for n in NAMES if n != "folder"])
def test_older_output_stays_until_the_new_one_is_whole(tmp_path, name):
    (tmp_path / name).write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt), create_sink(tmp_path / name, BatchSource(FRAMES).info) as sink:
        sink.write(first(name))
        raise KeyboardInterrupt
    assert (tmp_path / name).read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 1
    with create_sink(tmp_path / name, BatchSource(FRAMES).info) as sink:
        sink.write(first(name))
        assert (tmp_path / name).read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1
    with open_source(tmp_path / name) as source:
        assert source.info.frames == (1 if name == "x.png" else 4)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_written_is_an_error_and_leaves_nothing(tmp_path, name):
    with pytest.raises(VideoError, match="no frame was written"), create_sink(tmp_path / name, BatchSource(FRAMES).info):
        pass
    assert list(tmp_path.iterdir()) == []


def test_failing_at_the_very_end_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sink_module.os, "replace", full)
    with pytest.raises(OSError, match="No space"), create_sink(tmp_path / "x.mp4", BatchSource(FRAMES).info) as sink:
        sink.write(first("x.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_failing_to_open_leaves_nothing(tmp_path):
    (tmp_path / "not sound.wav").write_bytes(b"no")
    from talkies.core.video.audio_copy import CopyAudio

    with pytest.raises(VideoError, match="cannot be read"), create_sink(
        tmp_path / "x.mp4", BatchSource(FRAMES).info, audio=CopyAudio(tmp_path / "not sound.wav")):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["not sound.wav"]


@pytest.mark.parametrize("name", NAMES)
def test_folders_with_spaces_and_beyond_ascii(tmp_path, name):
    folder = tmp_path / "Écran de Zoë 你好" / "mit Leerzeichen"
    folder.mkdir(parents=True)
    with create_sink(folder / f"ü {name}", BatchSource(FRAMES).info) as sink:
        sink.write(first(name))
    assert [p.name for p in folder.iterdir()] == [f"ü {name}"]
    with open_source(folder / f"ü {name}") as source:
        assert np.concatenate([c.frames for c in source.chunks(3)]).shape == (source.info.frames, 32, 32, 3)


def test_a_file_can_replace_the_one_it_is_made_from(tmp_path):
    with create_sink(tmp_path / "x.mp4", BatchSource(FRAMES).info) as sink:
        sink.write(first("x.mp4"))
    with open_source(tmp_path / "x.mp4") as source, create_sink(tmp_path / "x.mp4", source.info) as sink:
        for chunk in source.chunks(2):
            sink.write(chunk)
    with open_source(tmp_path / "x.mp4") as source:
        assert source.info.frames == 4


def test_full_folder_is_not_touched(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    with pytest.raises(VideoError, match="not an empty folder"):
        create_sink(tmp_path / "folder", BatchSource(FRAMES).info)
    assert (tmp_path / "folder" / "mine.txt").read_text() == "mine"


class TestRefused:
    @pytest.mark.parametrize("name,codec,words", [
        ("x.webm", "h264", "does not hold h264; it holds vp9"),
        ("x.mp4", "ffv1", r"Name the file \.mkv, or change the codec"),
        ("x.mp4", "prores", r"Name the file \.mov, \.mkv"),
        ("x.avi", "h264", "no video container written here"),
    ])
    def test_codec_and_suffix_that_do_not_fit(self, tmp_path, name, codec, words):
        with pytest.raises(VideoError, match=words):
            create_sink(tmp_path / name, BatchSource(FRAMES).info, Encoding(codec))

    def test_missing_folder(self, tmp_path):
        with pytest.raises(VideoError, match=r"does not exist\. Make it first"):
            create_sink(tmp_path / "no" / "x.mp4", BatchSource(FRAMES).info)

    def test_frames_of_another_size(self, tmp_path):
        info = BatchSource(FRAMES).info
        with pytest.raises(VideoError, match="16x32 px came; 32x32 was announced"), create_sink(tmp_path / "x.mp4", info) as sink:
            sink.write(Chunk(0, np.zeros((1, 32, 16, 3), np.float32), (0,)))
        assert list(tmp_path.iterdir()) == []

    def test_two_frames_in_one_still(self, tmp_path):
        with pytest.raises(VideoError, match="holds one frame"), create_sink(tmp_path / "x.png", BatchSource(FRAMES).info) as sink:
            sink.write(first("x.mp4"))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("arguments,words", [
        ({"codec": "mpeg2"}, "one of h264"), ({"quality": 60}, "beyond h264's worst, 51"),
        ({"codec": "ffv1", "quality": 3}, "no quality number"),
        ({"pixel_format": "rgb565"}, "cannot store 'rgb565'"), ({"speed": "warp"}, "one of fast")])
    def test_settings_out_of_range(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            Encoding(**arguments)
