"""Noise: the right strength and the right correlation, whatever the picture under it."""
from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from skimage import data

from talkies.core.restore.noise import blocks, spectrum
from talkies.core.restore.noise.flat import LEVELS, smooth_curve
from talkies.core.restore.noise.measure import alike, measure_colour, measure_noise, measure_samples, sample_frame


def grain(shape, blur, seed=1):
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    if blur:
        noise = cv2.GaussianBlur(noise, (0, 0), blur)
    return noise / noise.std()


@pytest.fixture(scope="module")
def shaded():
    rows, columns = np.mgrid[:720, :960].astype(np.float32)
    return (0.25 + 0.45 * columns / 960 + 0.05 * np.sin(rows / 90)).astype(np.float32)


@pytest.mark.parametrize("steps", [2, 10, 25])
@pytest.mark.parametrize("blur, error", [(0, 0.05), (0.7, 0.1), (1.0, 0.1), (1.5, 0.1)])
def test_sigma_on_shading(shaded, blur, error, steps):
    found = measure_noise([shaded + grain(shaded.shape, blur) * (steps / 255)])
    assert found.sigma * 255 == pytest.approx(steps, rel=error)


@pytest.mark.parametrize("blur", [0, 0.7, 1.0, 1.5])
def test_autocorrelation_of_lags_up_to_3(shaded, blur):
    noise = grain(shaded.shape, blur)
    found = np.array(measure_noise([shaded + noise * (10 / 255)]).lags)
    true = [[float((noise[:716, 4:956] * noise[y : y + 716, 4 + x : 956 + x]).mean()) for x in range(-3, 4)] for y in range(4)]
    assert abs(found[:4, 5:12] - np.array(true)).max() <= 0.05


@pytest.mark.parametrize("blur, error", [(0, 0.05), (1.0, 0.1)])
def test_sigma_under_a_photograph(blur, error):
    camera = data.camera().astype(np.float32) / 255 * 0.7 + 0.15
    found = measure_noise([camera + grain(camera.shape, blur) * (10 / 255)])
    assert found.sigma * 255 == pytest.approx(10, rel=error)


@pytest.mark.parametrize("steps, blur", [(10, 1.0), (10, 1.5), (25, 1.5)])
def test_autocorrelation_under_a_photograph_with_grass(blur, steps):
    camera = data.camera().astype(np.float32) / 255 * 0.7 + 0.15
    noise = grain(camera.shape, blur)
    found = np.array(measure_noise([camera + noise * (steps / 255)]).lags)
    true = [[float((noise[:508, 4:508] * noise[y : y + 508, 4 + x : 508 + x]).mean()) for x in range(-3, 4)] for y in range(4)]
    assert abs(found[:4, 5:12] - np.array(true)).max() <= 0.05


def test_grass_is_told_from_grain_and_grain_from_slow_texture():
    # share of power in the four bands, slow to fast, and variance: coarse grain, grass on it, stronger grain; flat, slow texture
    grain_alone, grass, stronger = [4.0, 1.0, 0.1, 0.01], [4.2, 1.2, 0.5, 0.4], [16.0, 4.0, 0.4, 0.04]
    energies, variances = np.array([grain_alone] * 6 + [grass] * 4 + [stronger] * 4), np.array([1.0] * 6 + [1.5] * 4 + [4.0] * 4)
    assert alike(energies, variances).tolist() == [True] * 6 + [False] * 4 + [True] * 4
    energies, variances = np.array([[1.0] * 4] * 6 + [[30.0, 9.0, 1.0, 1.0]] * 8), np.array([1.0] * 6 + [5.0] * 8)
    assert alike(energies, variances).all()


def test_sigma_follows_luma(shaded):
    strength = 0.01 + 0.04 * shaded
    found = measure_noise([shaded + grain(shaded.shape, 0.7) * strength])
    places = (np.arange(LEVELS) + 0.5) / LEVELS
    seen = np.array(found.counts) > 20
    assert seen.sum() >= 5
    assert np.array(found.sigmas)[seen] == pytest.approx(0.01 + 0.04 * places[seen], rel=0.08)


@pytest.mark.parametrize("steps, blur, error", [(5, 0, 0.05), (10, 0, 0.05), (5, 0.7, 0.1), (10, 1.0, 0.1)])
@pytest.mark.parametrize("name", ["camera", "rocket"])
def test_no_level_of_a_photograph_is_far_off(name, steps, blur, error):
    picture = np.atleast_3d(getattr(data, name)()).astype(np.float32).mean(axis=2) / 255 * 0.7 + 0.15
    found = measure_noise([picture + grain(picture.shape, blur, 1234) * np.float32(steps / 255)])
    seen = np.array(found.counts) >= 0.05 * found.blocks
    assert seen.sum() >= 3
    assert np.array(found.sigmas)[seen] * 255 == pytest.approx(steps, rel=error)


def test_a_curve_over_luma_follows_what_is_known_and_leaves_what_stands_out():
    sigmas, counts = np.full(LEVELS, np.nan), np.zeros(LEVELS, int)
    sigmas[4:12], counts[4:12] = np.linspace(0.02, 0.05, 8), 200
    assert smooth_curve(sigmas, counts)[4:12] == pytest.approx(sigmas[4:12], rel=0.03)
    assert smooth_curve(sigmas, counts)[[0, -1]] == pytest.approx([0.02, 0.05], rel=0.25)
    even, few = np.full(LEVELS, 0.03), np.full(LEVELS, 40)
    even[6], few[6] = 0.06, 5  # texture
    assert smooth_curve(even, few) == pytest.approx(0.03, rel=0.12)
    even[6] = 0.015  # nothing but less noise explains less
    assert smooth_curve(even, few)[6] < 0.022
    assert not smooth_curve(np.full(LEVELS, np.nan), np.zeros(LEVELS, int)).any()


def test_chroma_of_white_rgb_noise():
    frame = np.full((512, 512, 3), 0.5, np.float32) + grain((512, 512, 3), 0) * np.float32(0.04)
    found = measure_colour(frame[None])
    red, green, blue = 0.299, 0.587, 0.114
    assert found.luma.sigma == pytest.approx(0.04 * np.sqrt(red**2 + green**2 + blue**2), rel=0.03)
    assert found.cb.sigma == pytest.approx(0.04 * 0.564 * np.sqrt(red**2 + green**2 + (1 - blue) ** 2), rel=0.03)
    assert found.cr.sigma == pytest.approx(0.04 * 0.713 * np.sqrt((1 - red) ** 2 + green**2 + blue**2), rel=0.03)


def test_grain_of_gray_has_no_chroma():
    gray = np.full((256, 256, 1), 0.5, np.float32) + grain((256, 256, 1), 0) * np.float32(0.04)
    found = measure_colour(np.repeat(gray, 3, axis=2)[None])
    assert found.luma.sigma == pytest.approx(0.04, rel=0.03)
    assert max(found.cb.sigma, found.cr.sigma) < 0.001


def test_many_frames_tell_more_than_one(shaded):
    small = shaded[:128, :192, None]
    errors = []
    for count in (1, 12):
        found = measure_samples([sample_frame(small + grain(small.shape, 1.0, seed).reshape(small.shape) * np.float32(0.04))
                                 for seed in range(count)])
        errors.append(abs(found.luma.sigma / 0.04 - 1))
        assert found.luma.blocks >= 5 * count
    assert errors[1] <= 0.03


@pytest.mark.parametrize("picture", [np.full((64, 64, 3), 0.5), np.zeros((64, 64, 3)), np.ones((64, 64, 3)),
                                     np.tile(np.linspace(0, 1, 256)[:, None], (256, 256, 1))[..., :1]])
def test_no_noise_where_there_is_none(picture):
    assert measure_colour(np.float32(picture)[None]).luma.sigma < 1e-4


def test_black_bars_do_not_hide_the_noise(shaded):
    frame = (shaded + grain(shaded.shape, 0) * (8 / 255)).astype(np.float32)
    frame[:100] = frame[-100:] = 0
    assert measure_noise([frame]).sigma * 255 == pytest.approx(8, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), channels=st.sampled_from([1, 3, 4]))
def test_every_size_is_measured(height, width, channels):
    frame = np.random.default_rng(height * 97 + width).uniform(0, 1, (1, height, width, channels)).astype(np.float32)
    found = measure_colour(frame)
    assert np.isfinite([found.luma.sigma, *found.luma.sigmas, found.cb_luma]).all()
    assert (found.luma.blocks == 0) == (min(height, width) < blocks.SMALLEST) or found.luma.blocks == 0


def test_surfaces_are_taken_and_what_they_took_is_given_back():
    rows, columns = np.mgrid[:32, :32] / 32.0
    surface = (1 + rows - 2 * columns + 3 * rows * columns - columns**2).astype(np.float32)
    assert abs(blocks.residual_blocks(surface, 32).residuals).max() < 1e-5
    noise = grain((3200, 320), 1.5)
    half = blocks.autocovariance(blocks.residual_blocks(noise, 32).residuals).mean(axis=0, dtype=np.float64)
    assert half[0, 8] < 0.9  # the surfaces take part of coarse noise
    assert blocks.debias(half, 32)[0, 8] == pytest.approx(1, abs=0.02)


def test_power_spectrum_of_blurred_noise():
    noise = grain((512, 512), 0.8)
    power = abs(np.fft.fft2(noise)) ** 2 / noise.size
    rings = spectrum.radial_spectrum(spectrum.gaussian_lags(0.8), bands=8)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
    true = np.array([power[(frequency * 16).astype(int) == band].mean() for band in range(8)])
    assert abs(10 * np.log10(rings / true))[:6].max() < 0.5


def test_dct_variances_are_those_of_the_blocks():
    noise = grain((1024, 1024), 0.7)
    pieces = blocks.cut_blocks(noise, 8).reshape(-1, 8, 8)
    measured = (dctn(pieces, axes=(1, 2), norm="ortho") ** 2).mean(axis=0)
    expected = spectrum.dct_variances(spectrum.gaussian_lags(0.7), 8)
    assert measured[:5, :5] == pytest.approx(expected[:5, :5], rel=0.15)
    assert spectrum.dct_variances(spectrum.WHITE, 8) == pytest.approx(np.ones((8, 8)))


def test_autoregression_finds_the_filter_that_made_the_noise():
    rng = np.random.default_rng(3)
    made = np.zeros((600, 600))
    shocks = rng.standard_normal(made.shape)
    for y in range(1, 600):
        for x in range(1, 600):
            made[y, x] = 0.4 * made[y, x - 1] + 0.3 * made[y - 1, x] + shocks[y, x]
    made = (made[50:, 50:] / made.std()).astype(np.float32)
    lags = spectrum.lags_from(blocks.debias(blocks.autocovariance(blocks.residual_blocks(made, 32).residuals).mean(0, np.float64), 32))
    coefficients, _ = spectrum.autoregression(lags, 1)
    assert dict(zip(spectrum.causal_offsets(1), coefficients, strict=True))[(0, -1)] == pytest.approx(0.4, abs=0.03)
    assert dict(zip(spectrum.causal_offsets(1), coefficients, strict=True))[(-1, 0)] == pytest.approx(0.3, abs=0.03)
    assert spectrum.autoregression(spectrum.WHITE)[0] == pytest.approx(np.zeros(24))


def test_size_of_grain():
    assert spectrum.correlation_size(spectrum.WHITE) == 1
    assert spectrum.correlation_size(spectrum.gaussian_lags(1.0)) == pytest.approx(2 * np.sqrt(np.pi), rel=0.01)
