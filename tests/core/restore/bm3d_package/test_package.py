"""The published package as an engine: guarded against what is known to be wrong with it, and never able to take the pack down."""
from __future__ import annotations

import importlib.util
import sys
import time

import numpy as np
import pytest
from operation_tester import made_clip
from skimage import data

from talkies.core.measure.image import psnr
from talkies.core.progress import silent
from talkies.core.restore.bm3d.operation import BM3D
from talkies.core.restore.bm3d_package import client
from talkies.core.restore.bm3d_package.client import PackageError, PackageProcess, ran
from talkies.core.settings import SettingError

needs_package = pytest.mark.skipif(importlib.util.find_spec("bm3d") is None, reason="the bm3d package is not installed")

DIES = (sys.executable, "-c", "import os, sys; print('{\"ready\": true}', flush=True); sys.stdin.readline(); "
                              "print('about to crash', file=sys.stderr, flush=True); os._exit(-11 % 256)")
SLEEPS = (sys.executable, "-c", "import time; print('{\"ready\": true}', flush=True); time.sleep(60)")
SAYS_NAN = (sys.executable, "-c", "import sys, json, struct; print('{\"ready\": true}', flush=True); sys.stdin.buffer.readline(); "
                                  "sys.stdout.buffer.write(b'{\"shape\": [16, 16, 1]}\\n' + struct.pack('<f', float('nan')) * 256)")


def denoise(package, frame, progress=silent, profile="lc", levels=(20, 20), stage="all"):
    return package.denoise(frame, levels, profile, stage, "opponent", progress, 0, 1)


@pytest.fixture(scope="module")
def noisy():
    clean = data.astronaut()[:64, 200:264].astype(np.float32) / 255
    return clean, (clean + np.random.default_rng(0).standard_normal(clean.shape) * 20 / 255).astype(np.float32)


@needs_package
def test_every_size_channel_count_and_profile_comes_back_finite(noisy):
    clean, frame = noisy
    gray = np.repeat(frame[..., :1], 3, axis=2)
    two_alike = frame.copy()
    two_alike[..., 2] = two_alike[..., 0]
    with PackageProcess() as package:
        for height, width in ((1, 1), (8, 8), (11, 11), (1, 20)):
            for profile in ("lc", "vn"):
                for channels in (1, 3):
                    made = denoise(package, frame[:height, :width, :channels].copy(), profile=profile)
                    assert made.shape == (height, width, channels) and np.isfinite(made).all()
        made = denoise(package, gray)
        assert np.isfinite(made).all() and np.array_equal(made[..., 0], made[..., 2]) and psnr(made[..., 0], clean[..., 0]) > 27
        assert np.isfinite(denoise(package, two_alike)).all()
        flat = np.full((20, 20, 3), 0.5, np.float32)
        assert np.array_equal(denoise(package, flat), flat)
        assert psnr(denoise(package, frame), clean) > psnr(frame, clean) + 5
        assert psnr(denoise(package, frame, stage="hard"), clean) > psnr(frame, clean) + 4
        kept = denoise(package, frame, levels=(20, 0))
        assert np.allclose(kept[..., 0] - kept[..., 2], frame[..., 0] - frame[..., 2], atol=1e-5)


@needs_package
def test_the_operation_runs_it_and_says_which_profile(noisy):
    clean, frame = noisy
    operation = BM3D(sigma=20, engine="bm3d", profile="fast")
    clip = np.concatenate((frame, frame[..., :1]), axis=2)[None].repeat(2, axis=0)
    calls = []
    made = operation(clip, 0, lambda done, total: calls.append((done, total)))
    assert made.shape == clip.shape and np.array_equal(made[..., 3], clip[..., 3]) and np.array_equal(made[0], made[1])
    assert psnr(made[0, ..., :3], clean) > psnr(frame, clean) + 5
    assert calls[0] == (0, 2) and calls[-1] == (2, 2)
    assert psnr(made[0, ..., :3], BM3D(sigma=20, profile="fast")(frame)[0]) > 30


@pytest.mark.parametrize("asked, runs", [
    ("refilter", "np"), ("fast", "lc"), ("balanced", "np"), ("quality", "np"), ("vn", "vn"), ("high", "high")])
def test_profiles_that_fail_or_are_missing_run_as_the_nearest(asked, runs):
    assert ran(asked) == runs == BM3D(engine="bm3d", profile=asked).ran()


@pytest.mark.parametrize("settings, name", [
    ({"radius": 1}, "radius"), ({"noise": "correlated"}, "noise"), ({"stages": "wiener"}, "stages")])
def test_what_it_cannot_do_is_refused_before_it_starts(settings, name):
    with pytest.raises(SettingError, match=f"{name} is .* engine bm3d does not do"):
        BM3D(engine="bm3d", **settings)


def test_a_crash_is_an_error_and_no_more():
    with PackageProcess(DIES) as package, pytest.raises(PackageError, match=r"crashed \(exit status .*about to crash.*engine to talkies"):
        denoise(package, made_clip(1, channels=1)[0])


def test_it_is_given_up_after_a_while(monkeypatch):
    monkeypatch.setattr(client, "patience", lambda frame: 0.3)
    started = time.monotonic()
    with PackageProcess(SLEEPS) as package, pytest.raises(PackageError, match="not done within"):
        denoise(package, made_clip(1)[0])
    assert time.monotonic() - started < 30 and package._process.poll() is not None


def test_cancel_ends_the_process():
    calls = []

    def cancel(done, total):
        calls.append(done)
        if len(calls) > 3:
            raise KeyboardInterrupt

    with PackageProcess(SLEEPS) as package, pytest.raises(KeyboardInterrupt):
        denoise(package, made_clip(1)[0], cancel)
    assert package._process.poll() is not None


def test_values_that_are_no_numbers_never_come_out():
    with PackageProcess(SAYS_NAN) as package, pytest.raises(PackageError, match="no numbers"):
        denoise(package, made_clip(1, 16, 16, 1)[0])


def test_a_missing_package_is_named_with_its_licence(monkeypatch):
    monkeypatch.setattr(client, "installed", lambda: False)
    with pytest.raises(PackageError, match=r"pip install bm3d.*non-commercial"):
        BM3D(sigma=5, engine="bm3d")(made_clip())
