"""`talkies align` and `talkies paste`: all frames, lossless crops, sound, and nothing left behind by what fails."""
from __future__ import annotations

import contextlib
import io
import json
from fractions import Fraction

import cv2
import numpy as np
import pytest
from face_scenes import moving_face
from video_making import sound_packets

from talkies.core.face import similarity
from talkies.core.face.align import AlignFace
from talkies.core.face.track import FaceTrack, track_from_points
from talkies.core.video import memory
from talkies.core.video.audio_copy import EncodeAudio
from talkies.core.video.clip import Chunk, ClipInfo
from talkies.core.video.encoding import Encoding
from talkies.core.video.sink import create_sink
from talkies.core.video.source import open_source
from talkies.headless import cli, compare, demo_face
from talkies.headless.demo import write_clip
from talkies.headless.demo_clip import SIZE, demo_clip

COUNT = 30


def talkies(*arguments):
    return cli.main([str(a) for a in arguments])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


def frames_of(path, size=99) -> np.ndarray:
    with open_source(path) as source:
        return np.concatenate([chunk.frames for chunk in source.chunks(size)])


def times_of(path) -> list[Fraction]:
    with open_source(path) as source:
        return [time * source.info.time_base for chunk in source.chunks(9) for time in chunk.times]


@pytest.fixture(scope="module")
def scene():
    return moving_face(COUNT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, scene):
    """A lossless clip with sound whose frames are not evenly spaced, and noisy points of its face."""
    folder = tmp_path_factory.mktemp("clip")
    height, width = scene.frames.shape[1:3]
    info = ClipInfo(width, height, Fraction(25), Fraction(1, 1000), COUNT)
    sound = 0.3 * np.sin(np.arange(round(COUNT / 25 * 48000)) / 20, dtype=np.float32)[None]
    times = tuple(40 * i + (i >= 10) * 100 for i in range(COUNT))
    with create_sink(folder / "in.mkv", info, Encoding("ffv1"), EncodeAudio(sound, 48000)) as sink:
        sink.write(Chunk(0, scene.frames, times))
    (folder / "points.json").write_text(json.dumps(scene.detected(1.0).points.tolist()))
    return folder


@pytest.fixture(scope="module")
def aligned(folder):
    """The crops and the track that `talkies align` made of the clip."""
    assert talkies("align", folder / "in.mkv", "--out", folder / "crops.mkv", "--track", folder / "track.json", "--points",
                   folder / "points.json", "--report", folder / "report.json") == 0
    return folder


@pytest.fixture
def no_models(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path / "none"))


class TestAlign:
    def test_the_crops_are_the_tracks_without_loss_one_a_frame_at_the_frames_times(self, aligned):
        crops, track = frames_of(aligned / "crops.mkv"), FaceTrack.loads((aligned / "track.json").read_text())
        wanted = AlignFace(track=track)(frames_of(aligned / "in.mkv"))
        assert crops.shape == (COUNT, 256, 256, 3) and track.smoothing == "fused" and track.crop.shape == "natural"
        np.testing.assert_allclose(crops, wanted, atol=0.5 / 255 + 1e-6)
        assert times_of(aligned / "crops.mkv") == times_of(aligned / "in.mkv") and times_of(aligned / "in.mkv")[10] == Fraction(1, 2)

    def test_the_sound_goes_with_the_crops_packet_by_packet(self, aligned):
        assert sound_packets(aligned / "crops.mkv") == sound_packets(aligned / "in.mkv") and len(sound_packets(aligned / "in.mkv")[0]) > 5

    def test_the_steadied_track_follows_the_truth_and_the_report_says_by_how_much(self, aligned, scene):
        report = json.loads((aligned / "report.json").read_text())
        track = FaceTrack.loads((aligned / "track.json").read_text())
        still = similarity.apply(similarity.invert(similarity.compose(track.matrices, scene.path)), track.crop.points)
        assert np.linalg.norm(still - still.mean(0), axis=-1).mean() < 0.5
        figures = report["smoothing"]["figures"]
        assert figures["shake after (crop px RMS)"] < 0.3 * figures["shake before (crop px RMS)"]
        assert report["search"]["figures"]["detector"] == "given" and len(report["search"]["series"]["found"]) == COUNT

    def test_any_chunk_size_makes_the_same(self, aligned, tmp_path, monkeypatch):
        monkeypatch.setattr(memory, "MIB_A_PROCESSOR", 0.001)
        assert talkies("align", aligned / "in.mkv", "--out", tmp_path / "c.npy", "--track", tmp_path / "t.json", "--points",
                       aligned / "points.json") == 0
        one, other = (FaceTrack.loads(path.read_text()) for path in (aligned / "track.json", tmp_path / "t.json"))
        assert one == other
        np.testing.assert_allclose(np.load(tmp_path / "c.npy"), frames_of(aligned / "crops.mkv"), atol=0.5 / 255 + 1e-6)

    @pytest.mark.parametrize("method", ["none", "one_euro", "whittaker", "enhanced", "ultra"])
    def test_every_smoothing_makes_all_crops_of_the_size_asked_for(self, folder, tmp_path, method):
        assert talkies("align", folder / "in.mkv", "--out", tmp_path / "c.npy", "--track", tmp_path / "t.json", "--points",
                       folder / "points.json", "--smooth", method, "--size", 64, "--shape", "latentsync", "--fit", "latentsync") == 0
        assert np.load(tmp_path / "c.npy").shape == (COUNT, 64, 64, 3)
        track = FaceTrack.loads((tmp_path / "t.json").read_text())
        assert track.smoothing == method and track.crop.shape == "latentsync" and track.motion is None

    def test_the_builtin_detector_needs_nothing_and_auto_says_what_was_missing(self, folder, tmp_path, capsys, no_models, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        assert talkies("align", folder / "in.mkv", "--track", tmp_path / "t.json", "--plot", tmp_path / "p.png", "--smooth",
                       "whittaker") == 0
        out = capsys.readouterr().out
        assert f"builtin found the face in {COUNT} of {COUNT} frames" in out and "talkies models get face_mesh" in out
        assert cv2.imread(str(tmp_path / "p.png")).shape == (640, 1024, 3)

    def test_lossy_crops_are_told(self, folder, tmp_path, capsys):
        assert talkies("align", folder / "in.mkv", "--out", tmp_path / "c.mp4", "--points", folder / "points.json", "--smooth", "none") == 0
        assert "name it .mkv for lossless crops" in capsys.readouterr().out

    @pytest.mark.parametrize(("arguments", "words"), [
        (["IN"], "Nothing is asked for"),
        (["IN", "--track", "t.json", "--detector-file", "x.onnx"], "--detector is auto"),
        (["IN", "--track", "t.json", "--detector", "yunet", "--detector-file", "x.onnx"], "x.onnx is not a file"),
        (["IN", "--track", "t.json", "--detector", "mesh"], "talkies models get face_mesh"),
        (["IN", "--track", "no/such/t.json"], "does not exist"),
        (["IN", "--out", "c.avi"], "no video container"),
        (["IN", "--out", "c.mkv", "--size", "8"], "needs at least 16"),
        (["IN", "--out", "c.mkv", "--min-size", "2"], "min_size is 2"),
        (["IN", "--out", "c.mkv", "--track", "t.json", "--detector", "builtin", "--min-size", "2000"], "No face in 30 frames"),
        (["missing.mp4", "--out", "c.mkv"], "missing.mp4 does not exist"),
    ])
    def test_what_cannot_be_done_is_one_paragraph_and_nothing_is_left(
        self, folder, tmp_path, capsys, monkeypatch, no_models, arguments, words,
    ):
        monkeypatch.chdir(tmp_path)
        assert talkies("align", *[str(folder / "in.mkv") if a == "IN" else a for a in arguments]) == 1
        error = said(capsys)
        assert error.startswith("talkies: ") and words in error and "Traceback" not in error
        assert list(tmp_path.iterdir()) == []

    def test_a_cancel_while_crops_are_written_leaves_nothing(self, folder, tmp_path, monkeypatch):
        def interrupted(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(AlignFace, "apply", interrupted)
        assert talkies("align", folder / "in.mkv", "--out", tmp_path / "c.mkv", "--track", tmp_path / "t.json", "--points",
                       folder / "points.json") == cli.CANCELLED
        assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def report(folder, tmp_path_factory):
    """The figures of a comparison without any second detector, what was printed, and the folder of the files."""
    made, out = tmp_path_factory.mktemp("compared"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("TALKIES_MODELS", str(made / "none"))
        patch.setenv("TORCH_HOME", str(made))
        assert talkies("align", folder / "in.mkv", "--compare", "--points", folder / "points.json", "--report", made / "r.json") == 0
    return json.loads((made / "r.json").read_text())["comparison"], out.getvalue(), made


class TestCompare:
    def test_every_method_stands_in_the_table_and_fused_is_the_steadiest(self, report):
        rows, out, _ = report
        assert list(rows) == ["none", "enhanced", "ultra", "one_euro", "whittaker", "fused"]
        assert rows["fused"]["shake (crop px)"] == min(r["shake (crop px)"] for r in rows.values()) < 0.5 * rows["none"]["shake (crop px)"]
        assert rows["fused"]["warp MAE (levels)"] == min(r["warp MAE (levels)"] for r in rows.values())
        assert all(f"{name:<10}  {row['shake (crop px)']:>10.3f}" in out for name, row in rows.items())
        assert all(len(r["shake of each pair (crop px)"]) == COUNT - 1 for r in rows.values())

    def test_without_a_second_detector_it_says_so(self, report):
        rows, out, _ = report
        assert all(r["residual above 3 Hz (crop px)"] is None for r in rows.values())
        assert "> 3 Hz needs a second detector" in out

    def test_the_paths_are_drawn(self, report):
        assert (cv2.imread(str(report[2] / "in_paths.png")) < 128).sum() > 2000

    def test_the_meter_measures_what_the_measure_does_wherever_the_clip_is_cut(self, scene):
        from talkies.core.face.align import align
        from talkies.core.measure.motion import steadiness

        track = align(scene.detected(1.0), 128, "natural")
        cutter, cuts = AlignFace(track=track), (11, 20)
        wanted = steadiness(cutter(scene.frames), cuts)
        row = compare.Row("none", 0, 0, None, 0, 0, (), track)
        for size in (1, 7, 10, 99):
            meter = compare._Meter(cutter, cuts)
            for start, frames in scene.clip(size):
                meter.see(start, frames)
            made = meter.judged(row)
            np.testing.assert_allclose(made.shake_series, wanted.shake_series)
            np.testing.assert_allclose((made.shake, made.warp_mae), (wanted.shake, wanted.warp_mae))

    def test_an_independent_track_judges_by_its_rigid_points(self, scene):
        """The truth as the judge: the residual is that of the tested track alone."""
        from talkies.core.face.align import align

        truth = scene.track(scene.points)
        assert compare._residual(align(truth), truth) < 0.05 < 0.3 < compare._residual(align(scene.detected(1.0)), truth)
        assert compare.rigid_points(np.zeros((4, 68, 2)), "points68").shape == (4, 8, 2)

    @pytest.mark.slow
    def test_another_detector_judges_where_one_is_here(self, folder, tmp_path, shared, monkeypatch, capsys):
        place = tmp_path / "models" / "talkies"
        place.mkdir(parents=True)
        for path in (shared / "weights").glob("face_detection_yunet*.onnx"):
            (place / path.name).write_bytes(path.read_bytes())
        if not any(place.iterdir()):
            pytest.skip("no YuNet beside the checkout")
        monkeypatch.setenv("TALKIES_MODELS", str(tmp_path / "models"))
        assert talkies("align", folder / "in.mkv", "--compare", "--points", folder / "points.json", "--report", tmp_path / "r.json") == 0
        rows = json.loads((tmp_path / "r.json").read_text())["comparison"]
        assert "the points of yunet" in capsys.readouterr().out
        assert rows["fused"]["residual above 3 Hz (crop px)"] < rows["none"]["residual above 3 Hz (crop px)"]


class TestPaste:
    def test_untouched_crops_change_nothing_outside_and_little_inside(self, aligned, tmp_path):
        assert talkies("paste", aligned / "crops.mkv", aligned / "in.mkv", aligned / "track.json", "--out", tmp_path / "o.mkv",
                       "--codec", "ffv1") == 0
        before, after = frames_of(aligned / "in.mkv"), frames_of(tmp_path / "o.mkv")
        assert before.shape == after.shape and times_of(tmp_path / "o.mkv") == times_of(aligned / "in.mkv")
        assert sound_packets(tmp_path / "o.mkv") == sound_packets(aligned / "in.mkv")
        difference = demo_face._Difference(FaceTrack.loads((aligned / "track.json").read_text()))
        difference.before(0, before)
        difference.after(0, after)
        figures = difference.figures()
        assert figures["pixels changed outside the crop"] == 0 and figures["PSNR inside, untouched crop (dB)"] > 45

    def test_changed_crops_of_another_size_change_the_face(self, aligned, tmp_path):
        np.save(tmp_path / "c.npy", np.zeros((COUNT, 100, 100, 3), np.float32))
        assert talkies("paste", tmp_path / "c.npy", aligned / "in.mkv", aligned / "track.json", "--out", tmp_path / "o.npy",
                       "--edge", "3", "--blend", "multiband") == 0
        made, track = np.load(tmp_path / "o.npy"), FaceTrack.loads((aligned / "track.json").read_text())
        x, y = np.round(track.anchors[5].mean(0)).astype(int)
        assert made[5, y, x].max() < 0.05 and np.array_equal(made[5, 0, 0], frames_of(aligned / "in.mkv")[5, 0, 0])

    @pytest.mark.parametrize(("crops", "words"), [(COUNT - 1, "There is no crop for frame 29"),
                                                  (COUNT + 1, "more crops than the 30 frames")])
    def test_another_count_of_crops_is_refused_and_nothing_is_left(self, aligned, tmp_path, capsys, crops, words):
        np.save(tmp_path / "c.npy", np.zeros((crops, 32, 32, 3), np.float32))
        assert talkies("paste", tmp_path / "c.npy", aligned / "in.mkv", aligned / "track.json", "--out", tmp_path / "o.mkv") == 1
        assert words in said(capsys) and [p.name for p in tmp_path.iterdir()] == ["c.npy"]

    def test_another_clip_is_refused(self, aligned, tmp_path, scene, capsys):
        np.save(tmp_path / "small.npy", np.zeros((COUNT, 32, 40, 3), np.float32))
        np.save(tmp_path / "short.npy", scene.frames[:20])
        for name, words in (("small.npy", "small.npy is 40x32 px, the track was made on 330x315"), ("short.npy", "there are only 20")):
            assert talkies("paste", aligned / "crops.mkv", tmp_path / name, aligned / "track.json", "--out", tmp_path / "o.npy") == 1
            assert words in said(capsys) and not (tmp_path / "o.npy").exists()

    def test_what_is_no_aligned_track_is_refused(self, aligned, tmp_path, scene, capsys):
        (tmp_path / "raw.json").write_text(scene.detected(1.0).dumps())
        (tmp_path / "other.json").write_text('{"a": 1}')
        for name, words in (("raw.json", "holds no matrices"), ("other.json", "not a face track"), ("none.json", "does not exist")):
            assert talkies("paste", aligned / "crops.mkv", aligned / "in.mkv", tmp_path / name, "--out", tmp_path / "o.npy") == 1
            assert words in said(capsys)


class TestDemoFace:
    def test_a_track_that_follows_the_known_path_has_no_error_and_a_jitter_has_its_own(self):
        from talkies.core.face.align import align

        clip = demo_clip(2.0)
        rest = np.array([[200.0, 180.0], [290.0, 182.0], [246.0, 250.0], [210.0, 300.0], [285.0, 302.0]])
        true = similarity.apply(demo_face.true_matrices(clip), rest)
        exact = align(track_from_points(list(true), "points5", (SIZE, SIZE), clip.fps), 256, "natural")
        assert max(demo_face.path_errors("", exact, clip).values()) < 1e-6
        beat = np.where(np.arange(len(true)) % 2, 0.5, -0.5)[:, None, None] * (1.0, 0.0)
        shaken = align(track_from_points(list(true + beat), "points5", (SIZE, SIZE), clip.fps), 256, "natural")
        np.testing.assert_allclose(list(demo_face.path_errors("", shaken, clip).values()), 0.5, rtol=0.02)

    def test_the_known_path_is_that_of_the_picture(self):
        clip = demo_clip(1.0)
        move = similarity.compose(demo_face.true_matrices(clip)[20], similarity.invert(demo_face.true_matrices(clip)[3]))
        gray = [cv2.cvtColor(clip.clean(i), cv2.COLOR_RGB2GRAY) for i in (3, 20)]
        carried = cv2.warpAffine(gray[0], move, (SIZE, SIZE), flags=cv2.INTER_CUBIC)
        part = slice(80, 250), slice(150, 350)  # the face above the mouth
        assert np.abs(carried[part] - gray[1][part]).mean() < 0.004 < np.abs(gray[0][part] - gray[1][part]).mean()

    @pytest.mark.slow
    def test_the_demo_steadies_its_face_to_a_tenth_of_the_jitter(self, tmp_path, no_models, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        clip = demo_clip(2.0)
        face = demo_face.steady_face(clip, write_clip(clip, tmp_path), tmp_path)
        figures = face.figures
        assert figures["frames with the face"] == 50
        assert figures["path error steadied > 3 Hz (px)"] < 0.1 * figures["path error as detected > 3 Hz (px)"]
        assert figures["path error steadied (px)"] < 0.5 * figures["path error as detected (px)"]
        assert figures["pixels changed outside the crop"] == 0 and figures["PSNR inside, untouched crop (dB)"] > 45
        assert frames_of(face.crops).shape == (50, 256, 256, 3) and frames_of(face.pasted).shape == (50, SIZE, SIZE, 3)
        assert sound_packets(face.pasted) == sound_packets(tmp_path / "talkies_demo.mp4")
