"""The benchmarks run, print what they promise, and measure what they say."""
from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def benchmark(*arguments):
    return subprocess.run([sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_sharpen_prints_its_tables_and_writes_its_figures(tmp_path):
    done = benchmark("sharpen", "--frames", "2", "--size", "64x48", "--repeat", "1", "--json", str(tmp_path / "figures.json"))
    assert done.returncode == 0, done.stderr
    for word in ("talkies detail", "talkies unsharp", "kornia unsharp_mask", "depthwise convolution", "OpenCV loop",
                 "copy, new clip", "peak memory beyond the output", "PSNR 512", "noise gain"):
        assert word in done.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["memory"]) == {"detail", "unsharp", "kernel", "adaptive"}
    assert figures["speed"]["talkies detail"]["wall_ms"] > 0
    quality = figures["quality"]
    assert quality["input"]["noise gain"] == 1 and quality["input"]["halo"] < 1e-6
    assert quality["OpenCV unsharp of the luma, amount 1"]["halo"] == pytest.approx(0.18, abs=0.005)
    assert quality["talkies detail"]["PSNR 512"] > max(
        found["PSNR 512"] for name, found in quality.items() if not name.startswith("talkies"))


def test_wrong_arguments_are_refused():
    done = benchmark("sharpen", "--size", "64")
    assert done.returncode == 2 and "'64' is no size; write e.g. 1920x1080" in done.stderr
    assert "choose from" in benchmark("sharpn").stderr


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks import pictures, sharpen, timing
        yield pictures, sharpen, timing
    finally:
        sys.path.remove(str(ROOT))


def test_peers_compute_the_same_unsharp_mask(modules):
    pictures, sharpen, _ = modules
    clip = pictures.clip(2, 96, 80)
    inner = np.s_[:, 4:-4, 4:-4]
    assert np.allclose(sharpen.cv2_loop(clip)[inner], sharpen.kornia_unsharp(clip, 1)[inner], atol=1e-5)
    assert np.allclose(sharpen.cv2_loop(clip)[inner], sharpen.depthwise_sharpen(clip)[inner], atol=1e-5)


def test_peak_sees_an_allocation(modules):
    _, _, timing = modules
    size = 64 << 20
    assert timing.peak_bytes(lambda: np.ones(size, np.uint8)) == pytest.approx(size, rel=0.2)


def test_side_by_side_counts_a_frame_and_not_a_call(modules):
    _, _, timing = modules
    import time
    timed = timing.side_by_side({"nap": timing.Way(lambda: time.sleep(0.02), 4)}, 3)
    assert 5 <= timed["nap"].wall_ms < 12 and timed["nap"].cpu_ms < 4


def test_table_aligns():
    from benchmarks.timing import table
    assert table(["way", "ms"], [["a", "1.00"], ["longer", "10.00"]]).splitlines() == [
        "way        ms", "------  -----", "a        1.00", "longer  10.00"]


@pytest.mark.parametrize("width, height", [(64, 48), (700, 600)])
def test_pictures_fill_their_size(modules, width, height):
    pictures, _, _ = modules
    for made in (pictures.scaled(width, height), pictures.mosaic(width, height)):
        assert made.shape == (height, width, 3) and made.dtype == np.float32
        assert made.min() >= 0 and made.max() <= 1 and made.std() > 0.05
    assert np.array_equal(pictures.degraded(made), pictures.degraded(made))


@pytest.mark.slow
def test_rates_prices_every_stage(tmp_path):
    done = benchmark("rates", "--frames", "2", "--size", "64x48", "--only", "H.264", "Sharpen", "--price", "2", "--json",
                     str(tmp_path / "f.json"))
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "f.json").read_text())
    assert set(figures) == {"encode H.264, fast", "encode H.264, medium", "encode H.264, slow", "decode H.264", "Sharpen"}
    for row in figures.values():
        assert row["CPU s a frame"] > 0 and row["dollars"] == pytest.approx(2 * 25 * row["CPU s a frame"])


@pytest.mark.slow
def test_scale_sees_the_work_of_every_worker(tmp_path):
    pytest.importorskip("ray")
    done = benchmark("scale", "--workers", "2", "--naps", "0.5", "--jobs", "3", "--segments", "2", "--size", "64x48", "--json",
                     str(tmp_path / "f.json"))
    if "Ray listens on every network interface" in done.stderr:
        pytest.skip("a network of its own takes root on Linux, unshare and ip")
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "f.json").read_text())
    assert 1 < figures["simulated"]["2"]["0.5 s"] <= 2.02 and figures["local"]["same bits"] == 1


@pytest.mark.slow
def test_prior_prints_its_tables_and_writes_its_figures(tmp_path):
    parts = ("--part", "speed", "--part", "presets")
    done = benchmark("prior", "--size", "64", *parts, "--picture", "camera", "--preset", "fast", "--repeat", "1",
                     "--json", str(tmp_path / "figures.json"))
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["speed"]["published U-Net, AdamW"]["wall_ms"] > figures["speed"]["talkies hourglass"]["wall_ms"]
    assert figures["presets"][0]["psnr"] > figures["presets"][0]["noisy"] + 3


def test_a_stop_is_told_beside_the_best_iterate_and_a_run_ends_once_it_is_clearly_over_fitted():
    from benchmarks.prior import _Overfitted, _Stops
    from talkies.core.restore.prior.fit import Plan

    clean, level = np.zeros((2, 2, 1)), [0.0]
    seen = _Stops(types.SimpleNamespace(output=lambda: torch.full((1, 1, 2, 2), level[0])), Plan(1500, 0.01, window=2), clean)
    for check in range(1, 151):  # calmest between checks 60 and 61, best at check 70
        level[0] += abs(check - 61) * 1e-3
        try:
            seen.look(10 * check, torch.full((1, 1, 2, 2), 0.1 + 0.001 * abs(check - 70)))
        except _Overfitted:
            break
    assert seen.stopped == (610, 710) and int(np.argmax(seen.curve)) == 69
    assert max(seen.curve) - seen.curve[-1] > 0.5 and check == 76
