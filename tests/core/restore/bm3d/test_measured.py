"""The noise of a clip: measured right, the same wherever it is cut, used when asked, and worth it where it is correlated."""
from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from operation_tester import OperationTester
from skimage import data

from talkies.core.arrays import to_frames
from talkies.core.measure.image import psnr
from talkies.core.measure.whiteness import lag1_autocorrelation
from talkies.core.operation import cut, run
from talkies.core.restore.bm3d.colour import from_planes, to_planes
from talkies.core.restore.bm3d.figures import denoising_report
from talkies.core.restore.bm3d.measured import MeasuredNoise, measured_noise, neighbour_correlation
from talkies.core.restore.bm3d.noise_model import correlation_of_kernel
from talkies.core.restore.bm3d.operation import BM3D
from talkies.core.restore.noise.measure import sample
from talkies.core.restore.noise.ratio import luma_over_chroma
from talkies.core.settings import SettingError


class TestBM3DThatMeasures(OperationTester):
    variants = (BM3D(profile="fast", noise="correlated"), BM3D(sigma=6, profile="fast", noise="correlated", radius=1))


def noise(shape, sigma, blur=0.0, seed=0):
    made = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    if blur:
        made = cv2.GaussianBlur(made, (0, 0), blur)
    return made * np.float32(sigma / 255 / made.std())


@pytest.fixture(scope="module")
def portrait():
    return data.astronaut()[:320, 60:380].astype(np.float32) / 255


@pytest.mark.parametrize("space", ["opponent", "ycbcr"])
@pytest.mark.parametrize("blur, error", [(0, 0.08), (1.0, 0.12)])
def test_levels_hold_in_the_colour_space_of_bm3d(portrait, space, blur, error):
    found = measured_noise([(0, (portrait + noise(portrait.shape, 12, blur))[None])], space)
    assert found.sigma == pytest.approx(12, rel=error) and found.chroma_sigma == pytest.approx(12, rel=error)
    assert abs(neighbour_correlation(found.lags) - (np.exp(-1 / 4) if blur else 0)) < 0.1


@pytest.mark.parametrize("picture", ["coffee", "chelsea", "rocket"])
@pytest.mark.parametrize("blur", [0.7, 1.0, 1.5])
def test_correlated_noise_is_told_from_texture_in_luma(picture, blur):
    clean = getattr(data, picture)().astype(np.float32) / 255
    found = measured_noise([(0, (clean + noise(clean.shape, 15, blur))[None])])
    assert found.sigma == pytest.approx(15, rel=0.1) and found.chroma_sigma == pytest.approx(15, rel=0.1)


@pytest.mark.parametrize("picture, blur", [("coffee", 0.7), ("chelsea", 1.0), ("chelsea", 1.5)])
def test_weak_noise_is_told_from_texture_by_its_ratio_to_chroma(picture, blur):
    clean = getattr(data, picture)().astype(np.float32) / 255
    frame = clean + noise(clean.shape, 8, blur)
    assert measured_noise([(0, frame[None])]).sigma == pytest.approx(8, rel=0.1)
    luma, *chromas = to_planes(frame, "opponent")
    ratio = luma_over_chroma([sample([luma / np.sqrt(3, dtype=np.float32), *chromas])])  # luma's flat blocks say 1.4 to 2.1 times
    assert ratio == pytest.approx(1 / np.sqrt(3), rel=0.2)


def test_no_ratio_to_chroma_where_there_is_none(portrait):
    gray = portrait[..., :1] + noise((*portrait.shape[:2], 1), 8)
    assert luma_over_chroma([sample([gray[..., 0]])]) is None
    assert luma_over_chroma([sample([gray[..., 0], *np.zeros((2, *gray.shape[:2]), np.float32)])]) is None
    assert luma_over_chroma([sample(to_planes(noise((64, 64, 3), 8), "opponent"))]) is None  # too few blocks


@pytest.mark.parametrize("louder", [1.0, 1.6])
def test_luma_louder_than_chroma_is_not_taken_for_texture(louder):
    clean = data.rocket().astype(np.float32) / 255
    grain = to_planes(noise(clean.shape, 12, 1.0), "opponent")
    grain[0] *= louder
    found = measured_noise([(0, (clean + from_planes(grain, "opponent"))[None])])
    assert found.sigma == pytest.approx(12 * louder, rel=0.1) and found.chroma_sigma == pytest.approx(12, rel=0.1)


def test_colour_stored_at_half_the_size_says_nothing_of_luma():
    clean = data.rocket().astype(np.float32) / 255
    grain = to_planes(noise(clean.shape, 15), "opponent")
    half = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in grain[1:]]
    grain[1:] = [cv2.resize(plane, grain.shape[:0:-1], interpolation=cv2.INTER_LINEAR) for plane in half]
    found = measured_noise([(0, (clean + from_planes(grain, "opponent"))[None])])
    assert found.sigma == pytest.approx(15, rel=0.05) and found.chroma_sigma == pytest.approx(255 * grain[1:].std(), rel=0.1)
    assert abs(neighbour_correlation(found.lags)) < 0.1


def test_luma_and_chroma_are_told_apart(portrait):
    gray = portrait + noise((*portrait.shape[:2], 1), 12)
    found = measured_noise([(0, gray[None])])
    assert found.sigma == pytest.approx(12 * np.sqrt(3), rel=0.08) and found.chroma_sigma < 2


def test_where_the_clip_is_cut_does_not_show(portrait):
    clip = np.stack([portrait[:96, :96] + noise((96, 96, 3), 8, seed=i) for i in range(20)])
    assert measured_noise(cut(clip, 20)) == measured_noise(cut(clip, 3)) == measured_noise(cut(clip, 7))


def test_a_given_sigma_is_never_overridden(portrait):
    clip = (portrait + noise(portrait.shape, 12))[None]
    measured = measured_noise([(0, clip)])
    assert BM3D(sigma=30).removed().sigma == 30 and not BM3D(sigma=30).needs_survey
    given = BM3D(sigma=30, noise="correlated").with_noise(measured).removed()
    assert (given.sigma, given.chroma_sigma) == (30, 30) and given.correlation is not None
    used = BM3D(luma_strength=0.5, chroma_strength=2).with_noise(measured).removed()
    assert used.sigma == measured.sigma / 2 and used.chroma_sigma == 2 * measured.chroma_sigma and used.correlation is None
    with pytest.raises(SettingError, match="not measured yet"):
        BM3D()(clip)


def test_correlated_noise_goes_only_when_its_correlation_is_counted_with(portrait):
    frame = portrait + noise(portrait.shape, 15, 1.0)
    white, correlated = (psnr(run(BM3D(profile="fast", noise=kind), frame)[0], portrait) for kind in ("white", "correlated"))
    assert correlated >= white + 1.5


def test_a_measured_correlation_is_that_of_the_kernel(portrait):
    rows, columns = np.mgrid[-6:7, -6:7]
    kernel = np.exp(-(rows**2 + columns**2) / 2)
    found = measured_noise([(0, (0.5 + noise((400, 400, 3), 10, 1.0))[None])])
    told = found.noise(0, correlated=True).correlation
    assert np.abs(told - correlation_of_kernel(kernel))[4:11, 4:11].max() < 0.06


def test_json_refuses_what_is_no_noise():
    plain = json.loads(json.dumps(BM3D(sigma=0).with_noise(MeasuredNoise(3.0, 4.0)).to_json()))
    assert BM3D.from_json({k: v for k, v in plain.items() if k != "op"}).measured == MeasuredNoise(3.0, 4.0)
    for wrong in ("much", {"sigma": 1}, {"sigma": -1, "chroma_sigma": 1, "lags": [[0, 1, 0]], "chroma_lags": [[0, 1, 0]]}):
        with pytest.raises(SettingError, match="not a measured noise"):
            MeasuredNoise.from_json(wrong)


def test_whiteness_tells_noise_from_detail(portrait):
    assert abs(lag1_autocorrelation(noise((300, 300, 3), 10))) < 0.02
    assert lag1_autocorrelation(noise((300, 300), 10, 1.0)) == pytest.approx(np.exp(-1 / 4), abs=0.03)
    assert lag1_autocorrelation(portrait - cv2.GaussianBlur(portrait, (0, 0), 3)) > 0.5
    assert lag1_autocorrelation(np.zeros((4, 4))) == 0 and lag1_autocorrelation(np.ones((1, 1, 3))) == 0


def test_the_report_says_what_was_asked_what_ran_and_what_went(portrait):
    clip = to_frames(portrait[None] + noise(portrait.shape, 12))
    operation, measured = BM3D(sigma=12, profile="refilter"), measured_noise([(0, clip)])
    report = denoising_report(operation, measured, clip, run(operation, clip), 1.5).figures
    assert report["profile requested"] == "refilter" and report["profile run"] == operation.ran() != "refilter"
    assert report["sigma used (steps of 255)"] == 12 and report["sigma from"] == "set" and report["engine"] == "talkies"
    assert report["sigma measured (steps of 255)"] == pytest.approx(12, rel=0.08) and report["time (s)"] == 1.5
    assert abs(report["whiteness of what was removed (lag-1 autocorrelation)"]) < 0.1
    assert report["removed, rms (steps of 255)"] == pytest.approx(12, rel=0.1)
