"""Sound is copied packet by packet where the container takes it, in step with the picture, and encoded where it does not."""
from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from video_making import decoded_sound, sound_packets, turn_mp4, write_sound

from talkies.core.video.audio_copy import CopyAudio, EncodeAudio
from talkies.core.video.clip import ClipInfo, VideoError
from talkies.core.video.sink import create_sink
from talkies.core.video.source import BatchSource, FileSource


def pass_through(source_path, target, audio=None):
    with FileSource(source_path) as source, create_sink(target, source.info, audio=audio or CopyAudio(source_path)) as sink:
        for chunk in source.chunks(7):
            sink.write(chunk)
    return target


@pytest.mark.parametrize("codec,source,target", [
    ("aac", "a.mp4", "b.mp4"), ("aac", "a.mp4", "b.mov"), ("aac", "a.mkv", "b.mkv"), ("pcm_s16le", "a.mov", "b.mov"),
    ("pcm_s24le", "a.mov", "b.mkv"), ("libopus", "a.webm", "b.webm"), ("libopus", "a.mkv", "b.mp4"), ("flac", "a.mkv", "b.mkv"),
    ("libmp3lame", "a.mp4", "b.mov"),
    ("ac3", "a.mp4", "b.mkv"),
])
def test_packets_are_the_same_bits_at_the_same_times(tmp_path, codec, source, target):
    before = sound_packets(write_sound(tmp_path / source, codec))
    after = sound_packets(pass_through(tmp_path / source, tmp_path / target))
    assert before and [p for _, p in before[0]] == [p for _, p in after[0]]
    shifts = {b - a for (a, _), (b, _) in zip(before[0], after[0], strict=True)}
    if target.endswith((".mp4", ".mov")) and source.endswith((".mp4", ".mov")):
        assert shifts == {0}
    else:  # milliseconds there
        assert max(shifts) - min(shifts) <= Fraction(1, 1000)


def test_aac_priming_stays_before_zero(tmp_path):
    before = write_sound(tmp_path / "a.mp4", "aac")
    after = pass_through(before, tmp_path / "b.mp4")
    assert sound_packets(before)[0][0][0] == sound_packets(after)[0][0][0] < 0
    start = decoded_sound(before), decoded_sound(after)
    assert np.array_equal(start[0][0], start[1][0]) and start[0][2] == start[1][2]


def test_all_streams_are_kept(tmp_path):
    before = sound_packets(write_sound(tmp_path / "a.mp4", "aac", streams=3))
    after = sound_packets(pass_through(tmp_path / "a.mp4", tmp_path / "b.mp4"))
    assert len(before) == 3 and before == after


def test_real_speech(shared, tmp_path):
    talk = shared / "media" / "talk1.mp4"
    if not talk.is_file():
        pytest.skip("no talk1.mp4 among the shared media")
    with create_sink(tmp_path / "b.mp4", BatchSource(np.zeros((1, 32, 32, 3), np.float32)).info, audio=CopyAudio(talk)) as sink:
        for chunk in BatchSource(np.zeros((250, 32, 32, 3), np.float32)).chunks(50):
            sink.write(chunk)
    assert sound_packets(talk) == sound_packets(tmp_path / "b.mp4")


def test_sound_in_memory_is_copied_as_well(tmp_path):
    path = write_sound(tmp_path / "a.mp4", "aac")
    held = BytesIO(path.read_bytes())
    pass_through(held, tmp_path / "b.mp4", CopyAudio(held))
    assert sound_packets(path) == sound_packets(tmp_path / "b.mp4")


def test_sound_and_picture_are_interleaved(tmp_path):
    """No second of sound lies further than two seconds of film from its picture, in the file's own order."""
    path = write_sound(tmp_path / "a.mp4", "aac", seconds=8.0)
    pass_through(path, tmp_path / "b.mkv")
    latest, worst = {"video": Fraction(0), "audio": Fraction(0)}, Fraction(0)
    with av.open(str(tmp_path / "b.mkv")) as container:
        for packet in container.demux():
            if packet.size:
                latest[packet.stream.type] = max(latest[packet.stream.type], packet.pts * packet.time_base)
                worst = max(worst, abs(latest["video"] - latest["audio"]))
    assert 0 < worst < 2


@pytest.mark.parametrize("video_start,sound_start", [(0, 0.5), (10, 0.0)])
def test_a_late_start_stays_late(tmp_path, video_start, sound_start):
    path = write_sound(tmp_path / "a.mp4", "aac", start=sound_start, video_start=video_start)
    pass_through(path, tmp_path / "b.mp4")
    for file in (path, tmp_path / "b.mp4"):
        with FileSource(file) as source:
            assert next(source.chunks(1)).times[0] * source.info.time_base == Fraction(video_start, 25)
        assert decoded_sound(file)[2] == pytest.approx(sound_start, abs=0.03)
    assert sound_packets(path) == sound_packets(tmp_path / "b.mp4")


def test_transport_stream_to_mp4_keeps_step(tmp_path):
    path = write_sound(tmp_path / "a.ts", "aac", start=0.2)
    pass_through(path, tmp_path / "b.mp4")
    with FileSource(path) as source, FileSource(tmp_path / "b.mp4") as copy:
        gap = [sound_packets(f)[0][1][0] - _first_picture(f) for f in (path, tmp_path / "b.mp4")]
        assert source.info.fps == copy.info.fps == 25
    assert abs(gap[0] - gap[1]) < Fraction(1, 10000)


def _first_picture(path):
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        return picture.pts * picture.time_base


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_what_the_container_cannot_hold_is_encoded_and_told(tmp_path, caplog, start):
    path = write_sound(tmp_path / "a.mp4", "aac", start=start, rate=44100)
    pass_through(path, tmp_path / "b.webm")
    assert "does not hold aac" in caplog.text and "libopus" in caplog.text
    before, rate, _ = decoded_sound(path)
    after, new_rate, heard = decoded_sound(tmp_path / "b.webm")
    assert new_rate == 48000 and heard == pytest.approx(start, abs=0.03)
    assert abs(after.shape[1] / 48000 - before.shape[1] / rate) < 0.06
    assert abs(np.std(after) / np.std(before) - 1) < 0.1


@pytest.mark.parametrize("suffix,codec", [(".mp4", "aac"), (".mov", "pcm_s24le"), (".mkv", "flac"), (".webm", "opus")])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_waveform_is_encoded_in_step(tmp_path, suffix, codec, rate):
    time = np.arange(2 * rate) / rate
    wave = np.where((time > 0.5) & (time < 0.6), np.sin(2 * np.pi * 500 * time), 0).astype(np.float32)  # a beep at 0.5 s
    source = BatchSource(np.zeros((50, 32, 32, 3), np.float32))
    with create_sink(tmp_path / f"x{suffix}", source.info, audio=EncodeAudio(np.stack([wave, -wave]), rate)) as sink:
        for chunk in source.chunks(8):
            sink.write(chunk)
    with av.open(str(tmp_path / f"x{suffix}")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == codec
    sound, got_rate, start = decoded_sound(tmp_path / f"x{suffix}")
    loud = np.flatnonzero(np.abs(sound[0]) > 0.3)
    assert loud[0] / got_rate + start == pytest.approx(0.5, abs=0.005)
    assert np.corrcoef(sound[0], sound[1])[0, 1] < -0.99
    assert sound.shape[1] / got_rate == pytest.approx(2.0, abs=0.07)


def test_pcm_of_a_waveform_is_exact_to_its_bits(tmp_path, rng):
    wave = rng.uniform(-0.9, 0.9, (1, 20000)).astype(np.float32)
    source = BatchSource(np.zeros((5, 32, 32, 3), np.float32))
    with create_sink(tmp_path / "x.mov", source.info, audio=EncodeAudio(wave, 48000)) as sink:
        sink.write(next(source.chunks(5)))
    sound, _, _ = decoded_sound(tmp_path / "x.mov")
    assert sound.shape == wave.shape and np.abs(sound - wave).max() <= 2**-22


def test_file_without_sound_stays_silent(tmp_path):
    source = BatchSource(np.zeros((3, 32, 32, 3), np.float32))
    with create_sink(tmp_path / "a.mp4", source.info) as sink:
        sink.write(next(source.chunks(3)))
    pass_through(tmp_path / "a.mp4", tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert not container.streams.audio


def test_language_is_kept(tmp_path):
    path = tmp_path / "a.mkv"
    write_sound(path, "aac")
    with av.open(str(path)) as source, av.open(str(tmp_path / "tagged.mkv"), "w") as target:
        copy = target.add_stream_from_template(source.streams.audio[0], opaque=True)
        copy.metadata["language"] = "fre"
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    source = BatchSource(np.zeros((25, 32, 32, 3), np.float32))
    with create_sink(tmp_path / "b.mp4", source.info, audio=CopyAudio(tmp_path / "tagged.mkv")) as sink:
        sink.write(next(source.chunks(25)))
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.audio[0].metadata["language"] == "fre"


def test_too_many_channels_are_refused(tmp_path):
    source = BatchSource(np.zeros((1, 32, 32, 3), np.float32))
    with pytest.raises(VideoError, match="9 channels"), create_sink(
        tmp_path / "x.mp4", source.info, audio=EncodeAudio(np.zeros((9, 100), np.float32), 48000)) as sink:
        sink.write(next(source.chunks(1)))
    assert not any(tmp_path.iterdir())


def test_upright_copy_of_a_phone_clip_has_its_sound(tmp_path):
    path = turn_mp4(write_sound(tmp_path / "a.mp4", "aac"), (0, 1, -1, 0))
    pass_through(path, tmp_path / "b.mp4")
    with FileSource(tmp_path / "b.mp4") as source:
        assert isinstance(source.info, ClipInfo) and (source.info.width, source.info.height) == (32, 48)
    assert sound_packets(path) == sound_packets(tmp_path / "b.mp4")
