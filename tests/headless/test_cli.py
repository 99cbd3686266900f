"""The command line: what it prints, what it leaves, what it says when something is wrong."""
from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from checkout import ROOT
from spandrel.architectures.Compact import Compact

from talkies.core.catalogue import operation_from_json
from talkies.core.operation import Chain
from talkies.core.restore.sharpen import Sharpen
from talkies.core.upscale.super_resolve import SuperResolve
from talkies.headless import cli, doctor
from talkies.headless.demo_clip import demo_clip


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "in.npy"
    np.save(path, np.random.default_rng(0).random((7, 24, 32, 3), np.float32))
    return path


def talkies(*arguments):
    return cli.main([str(a) for a in arguments])


class TestRender:
    def test_npy_results_are_the_operations_bits(self, tmp_path, clip, capsys):
        ops = ("--op", "sharpen:strength=0.4,mode=unsharp", "--op", "sharpen:mode=kernel")
        assert talkies("render", clip, tmp_path / "out.npy", *ops) == 0
        wanted = Chain((Sharpen(0.4, "unsharp"), Sharpen(mode="kernel")))(np.load(clip))
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), wanted)
        assert "7 frames of 32x24 px" in capsys.readouterr().out

    def test_one_frame_npy_is_a_clip_of_one(self, tmp_path):
        np.save(tmp_path / "in.npy", np.zeros((4, 5, 3), np.float32))
        assert talkies("render", tmp_path / "in.npy", tmp_path / "out.npy") == 0
        assert np.load(tmp_path / "out.npy").shape == (1, 4, 5, 3)

    def test_16_bit_png_keeps_its_depth(self, tmp_path):
        levels = np.random.default_rng(0).integers(0, 65536, (8, 9, 3), dtype=np.uint16)
        cv2.imwrite(str(tmp_path / "in.png"), levels)
        assert talkies("render", tmp_path / "in.png", tmp_path / "out.png") == 0
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED), levels)

    def test_video_from_frames_with_a_rate(self, tmp_path, clip):
        assert talkies("render", clip, tmp_path / "out.mkv", "--codec", "ffv1", "--fps", "30") == 0
        assert talkies("render", tmp_path / "out.mkv", tmp_path / "back.npy") == 0
        np.testing.assert_allclose(np.load(tmp_path / "back.npy"), np.load(clip), atol=0.5 / 255 + 1e-6)

    def test_report_holds_the_figures_of_every_frame(self, tmp_path, clip):
        assert talkies("render", clip, tmp_path / "out.npy", "--op", "frameadjust:brightness=0.1", "--report", tmp_path / "r.json") == 0
        report = json.loads((tmp_path / "r.json").read_text())
        assert report["frames"] == 7 and report["operations"][0]["brightness"] == 0.1
        np.testing.assert_allclose(report["before"]["series"]["mean"], np.load(clip).mean((1, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(report["after"]["series"]["mean"], np.load(tmp_path / "out.npy").mean((1, 2, 3)), rtol=1e-5)

    @pytest.mark.parametrize(("arguments", "words"), [
        (["nothing.mp4", "out.mp4"], "nothing.mp4"),
        (["IN", "out.npy", "--op", "sharpen:strength=3"], "strength is 3.0; it must be a number between 0 and 1"),
        (["IN", "out.npy", "--op", "sharpen:power=3"], "power"),
        (["IN", "out.npy", "--op", "melt"], "melt"),
        (["IN", "out.xyz"], "out.xyz"),
        (["IN", "out.mp4", "--codec", "ffv1"], "does not hold ffv1"),
    ])
    def test_an_error_is_one_readable_paragraph(self, tmp_path, clip, capsys, monkeypatch, arguments, words):
        monkeypatch.chdir(tmp_path)
        assert talkies("render", *[str(clip) if a == "IN" else a for a in arguments]) == 1
        error = capsys.readouterr().err
        assert error.startswith("talkies: ") and words in " ".join(error.split()) and "Traceback" not in error
        assert not list(tmp_path.glob("out*")) and not list(tmp_path.glob(".*"))

    def test_debug_shows_the_traceback(self, tmp_path, capsys):
        assert talkies("--debug", "render", tmp_path / "nothing.mp4", tmp_path / "out.mp4") == 1
        assert "Traceback" in capsys.readouterr().err

    def test_nan_is_named_by_frame(self, tmp_path, clip, capsys):
        frames = np.load(clip)
        frames[5, 1, 2] = np.nan
        np.save(clip, frames)
        assert talkies("render", clip, tmp_path / "out.npy", "--op", "sharpen", "--memory", 1) == 1
        assert "holds 3 NaN values, the first at row 1, column 2" in " ".join(capsys.readouterr().err.split())

    def test_super_resolve_by_name_and_by_path(self, tmp_path, clip, monkeypatch, capsys):
        state = Compact(num_feat=8, num_conv=1, upscale=2).state_dict()
        (tmp_path / "models" / "upscale_models").mkdir(parents=True)
        path = tmp_path / "models" / "upscale_models" / "mine.pth"
        torch.save({"params": state}, path)
        monkeypatch.setenv("TALKIES_MODELS", str(tmp_path / "models"))
        assert talkies("render", clip, tmp_path / "name.npy", "--op", "superresolve:model=mine", "--memory", 1) == 0
        assert talkies("render", clip, tmp_path / "path.npy", "--op", f"superresolve:model={path}", "--report", tmp_path / "r.json") == 0
        wanted = SuperResolve(model=str(path))(np.load(clip))
        assert wanted.shape == (7, 48, 64, 3) and "7 frames of 64x48 px" in capsys.readouterr().out
        np.testing.assert_array_equal(np.load(tmp_path / "name.npy"), wanted)
        np.testing.assert_array_equal(np.load(tmp_path / "path.npy"), wanted)
        assert operation_from_json(json.loads((tmp_path / "r.json").read_text())["operations"][0]) == SuperResolve(model=str(path))

    def test_a_missing_model_is_named_with_folder_address_and_size(self, tmp_path, clip, monkeypatch, capsys):
        monkeypatch.setenv("TALKIES_MODELS", str(tmp_path / "models"))
        assert talkies("render", clip, tmp_path / "out.npy", "--op", "superresolve:model=RealESRGAN_x4plus") == 1
        error = " ".join(capsys.readouterr().err.split())
        assert error.startswith("talkies: Super Resolve: RealESRGAN_x4plus is not in ") and "Traceback" not in error
        assert "upscale_models" in error and "https://github.com/xinntao/Real-ESRGAN/" in error and "about 67 MB" in error
        assert not list(tmp_path.glob("out*"))


def test_ctrl_c_is_130(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "main", interrupted)
    assert talkies("doctor") == cli.CANCELLED and "cancelled" in capsys.readouterr().err


def test_doctor_tells_of_packages_codecs_and_missing_weights(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    assert talkies("doctor") == 0
    out = capsys.readouterr().out
    for words in ("torch ", "numpy ", "writes h264", "Everything required is here", "diff2lip", "CC BY-NC 4.0", str(tmp_path)):
        assert words in out
    assert "RealESRGAN_x4plus (upscaling x4, BSD-3-Clause) is not here: talkies models get RealESRGAN_x4plus" in out
    (tmp_path / "upscale_models").mkdir()
    (tmp_path / "upscale_models" / "RealESRGAN_x4plus.pth").touch()
    talkies("doctor")
    assert f"ok   RealESRGAN_x4plus (upscaling x4): {tmp_path}" in capsys.readouterr().out


def test_a_missing_package_is_told_with_its_cure(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "REQUIRED", (*doctor.REQUIRED, "no-such-package"))
    assert talkies("doctor") == 1
    assert "MISS no-such-package is not installed: pip install no-such-package" in capsys.readouterr().out


class TestDemo:
    def test_the_clip_follows_from_its_seed_wherever_it_is_cut(self):
        clip = demo_clip(0.2)
        whole = np.concatenate([c.frames for c in clip.chunks(99)])
        np.testing.assert_array_equal(np.concatenate([c.frames for c in demo_clip(0.2).chunks(2)]), whole)
        assert whole.shape == (5, 512, 512, 3) and (demo_clip(0.2, seed=8).path != clip.path).any()

    def test_the_mouth_follows_the_voice(self):
        clip = demo_clip(4.0)
        loud = np.sqrt((clip.sound[0].reshape(100, -1) ** 2).mean(1))
        assert np.corrcoef(loud, clip.opening)[0, 1] > 0.8 and clip.opening.max() > 0.7 and np.abs(clip.sound).max() <= 1

    def test_the_head_is_where_the_path_says(self):
        clip = demo_clip(0.4)
        gray = [cv2.cvtColor(clip.clean(i), cv2.COLOR_RGB2GRAY) for i in (0, 9)]
        shift, _ = cv2.phaseCorrelate(*[g[100:260, 150:400].astype(np.float64) for g in gray])
        np.testing.assert_allclose(shift, clip.path[9, :2] - clip.path[0, :2], atol=1.5)

    @pytest.mark.slow
    def test_it_runs_its_workflow_and_measures_an_improvement(self, tmp_path, capsys):
        assert talkies("demo", "--folder", tmp_path / "über demo", "--seconds", "1") == 0
        figures = json.loads((tmp_path / "über demo" / "figures.json").read_text())
        assert figures["frames in"] == figures["frames out"] == 25
        assert figures["PSNR after (dB)"] > figures["PSNR before (dB)"] + 1
        assert (tmp_path / "über demo" / "before_after.png").stat().st_size > 10_000
        assert "talkies_demo.mp4" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((ROOT / "example_workflows").glob("*.json")), ids=lambda p: p.stem)
def test_example_workflows_have_a_thumbnail(path):
    assert path.with_suffix(".jpg").stat().st_size > 3000
