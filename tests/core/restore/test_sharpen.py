"""Sharpen: no halos, no extra noise, better than its peers by the protocol, and exact where it must be."""
from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from operation_tester import OperationTester, made_clip
from skimage import data
from skimage.metrics import structural_similarity

from talkies.core.measure.image import psnr
from talkies.core.restore import linear_light, sharpen_kernels
from talkies.core.restore.sharpen import Sharpen, gaussian_taps, noise_energy, variance_of_detail

MODES = ("detail", "unsharp", "kernel", "adaptive")


class TestSharpen(OperationTester):
    variants = (
        *(Sharpen(mode=mode) for mode in MODES),
        Sharpen(luma_only=False, sigma=2.5),
        Sharpen(mode="unsharp", luma_only=False, threshold=0.01),
        Sharpen(mode="adaptive", linear_light=True, sigma=1.7),
        Sharpen(mode="kernel", linear_light=True, luma_only=False),
    )


@pytest.fixture(scope="module")
def portrait():
    return data.astronaut().astype(np.float32) / 255


@pytest.fixture(scope="module")
def soft(portrait):
    grain = np.random.default_rng(1234).standard_normal(portrait.shape) * (1.5 / 255)
    return np.clip(cv2.GaussianBlur(portrait, (0, 0), 1.0) + grain, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def flat_noise():
    grain = np.random.default_rng(7).standard_normal((256, 256, 1)) * (1.5 / 255)
    return np.repeat(0.5 + grain, 3, axis=2).astype(np.float32)


@pytest.fixture
def edge():
    step = np.full((40, 40, 3), 0.2, np.float32)
    step[:, 20:] = 0.8
    return step


@pytest.mark.parametrize("mode", ["detail", "adaptive"])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_a_clean_graphic_is_sharpened(mode, sigma, edge):
    soft = cv2.GaussianBlur(edge, (0, 0), 1.0)
    made = Sharpen(strength=0.6, mode=mode, sigma=sigma)(soft)[0]
    assert np.diff(made[20, :, 0]).max() >= 1.1 * np.diff(soft[20, :, 0]).max()


def overshoot(made):
    return max(made.max() - 0.8, 0.2 - made.min())


def opencv_unsharp(frame, amount=1.0):
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.clip(frame + amount * (luma - cv2.GaussianBlur(luma, (0, 0), 1.0))[..., None], 0, 1)


@pytest.mark.parametrize("mode", MODES)
def test_strength_zero_is_identity(mode):
    clip = made_clip() * 3 - 1
    operation = Sharpen(strength=0, mode=mode, linear_light=True)
    assert operation.identity and not Sharpen(mode=mode).identity
    assert np.array_equal(operation(clip), clip)


# --- quality


def test_detail_restores_a_blurred_portrait_better_than_its_peers(portrait, soft):
    made, peer = Sharpen()(soft)[0], opencv_unsharp(soft)

    def ssim(picture):
        return structural_similarity(picture, portrait, data_range=1, channel_axis=-1)

    assert psnr(made, portrait) >= 32.1
    assert psnr(made, portrait) >= psnr(peer, portrait) + 0.5
    assert ssim(made) >= 0.934
    assert ssim(made) >= ssim(peer) + 0.01


def test_detail_is_at_its_best_near_the_default_strength(portrait, soft):
    found = {strength: psnr(Sharpen(strength=strength)(soft)[0], portrait) for strength in (0.1, 0.3, 0.4, 0.8)}
    assert max(found[0.3], found[0.4]) == max(found.values())
    assert found[0.3] > max(found.values()) - 0.15


@pytest.mark.parametrize("mode", ["unsharp", "kernel", "adaptive"])
def test_every_mode_brings_the_picture_nearer_to_the_sharp_one(mode, portrait, soft):
    assert psnr(Sharpen(mode=mode)(soft)[0], portrait) >= psnr(soft, portrait) + 1.3


@pytest.mark.parametrize("mode, strength, most", [("detail", 0.3, 0.0401), ("detail", 1.0, 0.0401), ("adaptive", 0.3, 0.04)])
def test_hard_edge_hardly_overshoots(mode, strength, most, edge):
    assert overshoot(Sharpen(strength=strength, mode=mode)(edge)[0]) <= most
    assert overshoot(Sharpen(strength=strength, mode="unsharp")(edge)[0]) > 4 * most


def test_halo_measure_sees_the_halo_of_the_classic_mask(edge):
    assert overshoot(opencv_unsharp(edge)) == pytest.approx(0.18, abs=0.005)
    assert overshoot(Sharpen(strength=1 / 3, mode="unsharp")(edge)[0]) == pytest.approx(0.18, abs=0.005)


@pytest.mark.parametrize("strength", [0.3, 1.0])
@pytest.mark.parametrize("mode", ["detail", "adaptive"])
def test_flat_noise_is_not_raised(mode, strength, flat_noise):
    assert Sharpen(strength=strength, mode=mode)(flat_noise).std() <= 1.05 * flat_noise.std()
    assert opencv_unsharp(flat_noise).std() > 1.8 * flat_noise.std()


def test_black_bars_do_not_hide_the_noise(flat_noise):
    barred = flat_noise.copy()
    barred[:60] = barred[-60:] = 0
    made = Sharpen()(barred)[0]
    assert made[70:-70].std() <= 1.05 * barred[70:-70].std()


def test_texture_is_raised_more_than_noise_of_the_same_frame(flat_noise):
    columns = np.arange(256)
    frame = flat_noise + np.where(columns < 128, 0.1 * np.sin(columns * 1.2), 0)[..., None].astype(np.float32)
    made = Sharpen()(frame)[0]
    assert made[:, 10:118].std() >= 1.15 * frame[:, 10:118].std()
    assert made[:, 138:].std() <= 1.1 * frame[:, 138:].std()


# --- definitions


def test_unsharp_is_the_gaussian_unsharp_mask():
    frame = made_clip(1, 40, 60)[0] * 0.5 + 0.25
    luma = frame @ np.float32([0.299, 0.587, 0.114])
    sigma = 1.4
    size = 2 * int(np.ceil(3 * sigma)) + 1
    detail = luma - cv2.GaussianBlur(luma, (size, size), sigma, borderType=cv2.BORDER_REFLECT)
    made = Sharpen(strength=0.2, mode="unsharp", sigma=sigma)(frame)[0]
    assert np.allclose(made, frame + 0.6 * detail[..., None], atol=2e-6)


def test_kernel_is_identity_plus_laplacian():
    gray = made_clip(1, 20, 30, 1)[0] * 0.3 + 0.35
    made = Sharpen(strength=0.3, mode="kernel")(gray)[0]
    laplacian = np.full((3, 3), -1, np.float32)
    laplacian[1, 1] = 8
    expected = gray[..., 0] + 0.1 * cv2.filter2D(gray[..., 0], -1, laplacian, borderType=cv2.BORDER_REFLECT)
    assert np.allclose(made[..., 0], expected, atol=2e-6)


@pytest.mark.parametrize("mode", ["kernel", "unsharp"])
def test_linear_modes_keep_the_mean(mode):
    gray = made_clip(1, 24, 32, 1) * 0.2 + 0.4
    made = Sharpen(strength=0.5, mode=mode)(gray)
    assert not np.allclose(made, gray, atol=1e-3)
    assert float(made.mean(dtype=np.float64)) == pytest.approx(float(gray.mean(dtype=np.float64)), abs=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_luma_only_adds_the_same_to_every_channel(mode):
    frame = made_clip(1)[0] * 0.4 + 0.3
    added = Sharpen(mode=mode)(frame)[0] - frame
    assert np.abs(added).max() > 0.01
    assert np.allclose(added, added[..., :1], atol=1e-6)
    apart = Sharpen(mode=mode, luma_only=False)(frame)[0] - frame
    assert not np.allclose(apart, apart[..., :1], atol=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_channels_apart_equal_three_gray_frames_given_the_same_noise(mode, monkeypatch):
    monkeypatch.setattr("talkies.core.restore.sharpen.noise_energy", lambda *_: 1e-4)
    frame = made_clip(1)[0]
    operation = Sharpen(mode=mode, luma_only=False)
    apart = np.concatenate([operation(frame[..., c : c + 1])[0] for c in range(3)], axis=-1)
    assert np.array_equal(operation(frame)[0], apart)


@pytest.mark.parametrize("mode", MODES)
def test_threshold_leaves_small_detail_alone(mode):
    rng = np.random.default_rng(3)
    calm = (0.5 + 0.004 * rng.standard_normal((1, 32, 32, 1))).astype(np.float32)
    strong = Sharpen(strength=1, mode=mode, threshold=0.05)
    assert np.allclose(strong(calm), calm, atol=1e-6)
    assert not np.allclose(strong(made_clip()), made_clip(), atol=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_linear_light_is_the_same_work_between_the_two_curves(mode, monkeypatch):
    frame = made_clip(1)[0]
    linear = np.empty_like(frame)
    linear_light.to_linear(frame, linear)
    made = Sharpen(mode=mode, linear_light=True)(frame)[0]
    if mode in ("unsharp", "kernel"):
        expected = np.empty_like(frame)
        linear_light.to_srgb(Sharpen(mode=mode)(linear)[0], expected)
        assert np.array_equal(made, expected)
    assert not np.allclose(made, Sharpen(mode=mode)(frame)[0], atol=1e-3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("height", [1, 2, 3, 5, 9, 40])
def test_kernels_may_write_where_they_read(mode, height):
    clip = made_clip(1, height, 16, 3)[0].reshape(height, -1)
    taps = gaussian_taps(1.3)
    kernels = {
        "detail": lambda a, b: sharpen_kernels.detail(a, b, True, 1, False, taps, 2.0, 1e-5, 0.3, 0.04),
        "unsharp": lambda a, b: sharpen_kernels.unsharp(a, b, True, 1, taps, 1.0, 1.0, 0.0),
        "kernel": lambda a, b: sharpen_kernels.unsharp(a, b, True, 1, np.ones(2, np.float32), 9.0, 0.1, 0.0),
        "adaptive": lambda a, b: sharpen_kernels.adaptive(a, b, True, 1, False, taps, 1.0, 1e-5, 0.01),
    }
    apart, place = np.empty_like(clip), clip.copy()
    kernels[mode](clip, apart)
    kernels[mode](place, place)
    assert np.array_equal(apart, place)


# --- values


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("linear", [False, True])
def test_constant_frames_stay(mode, linear):
    frame = np.full((1, 9, 11, 3), 0.37, np.float32)
    assert np.allclose(Sharpen(strength=1, mode=mode, linear_light=linear)(frame), frame, atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(
    frame=hnp.arrays(np.float32, (1, 6, 7, 3), elements=st.floats(-4, 8, width=32)),
    mode=st.sampled_from(MODES), strength=st.floats(0.01, 1), linear=st.booleans(), luma=st.booleans())
def test_no_value_is_pushed_out_of_range(frame, mode, strength, linear, luma):
    made = Sharpen(strength=strength, mode=mode, linear_light=linear, luma_only=luma)(frame)
    slack = 1e-5 * np.abs(frame)
    assert np.isfinite(made).all()
    assert (made >= np.minimum(frame, 0) - slack).all() and (made <= np.maximum(frame, 1) + slack).all()


def test_srgb_curve_is_the_standard_one():
    levels = np.linspace(-0.5, 1.5, 2001).astype(np.float32)
    linear, back = np.empty_like(levels), np.empty_like(levels)
    linear_light.to_linear(levels, linear)
    linear_light.to_srgb(linear, back)
    v = np.abs(levels.astype(np.float64))
    expected = np.sign(levels) * np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    assert np.allclose(linear, expected, rtol=2e-6, atol=1e-8)
    assert np.allclose(back, levels, atol=1e-6)


# --- the noise estimate


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("steps", [1, 4, 12])
def test_noise_energy_is_right_on_white_noise(sigma, steps):
    plane = (0.5 + np.random.default_rng(5).standard_normal((400, 640)) * (steps / 255)).astype(np.float32)
    taps = gaussian_taps(sigma)
    centre, squares = float(taps[0]) ** 2, float(taps[0] ** 2 + 2 * (taps[1:] ** 2).sum()) ** 2
    true = (steps / 255) ** 2 * (1 - 2 * centre + squares)
    assert noise_energy(plane, False, 1, taps) == pytest.approx(true, rel=0.12)


def test_noise_energy_is_not_fooled_by_edges(portrait):
    soft = cv2.GaussianBlur(portrait, (0, 0), 1.0)
    rows = np.ascontiguousarray(soft + np.random.default_rng(5).standard_normal(soft.shape) * (5 / 255), dtype=np.float32)
    taps = gaussian_taps(1.0)
    true = noise_energy((np.float32(0.5) + rows - soft).reshape(512, -1), True, 1, taps)
    assert noise_energy(rows.reshape(512, -1), True, 1, taps) == pytest.approx(true, rel=0.3)


def test_frames_without_noise_have_none():
    assert noise_energy(np.full((50, 60), 0.5, np.float32), False, 1, gaussian_taps(1.0)) == 0


def test_variance_of_detail_on_white_noise():
    taps = gaussian_taps(1.0)
    noise = np.random.default_rng(6).standard_normal((600, 600)).astype(np.float32)
    size = 2 * len(taps) - 1

    def smooth(plane):
        return cv2.GaussianBlur(plane, (size, size), 1.0)

    within = (smooth(noise * noise) - smooth(noise) ** 2).mean()
    assert variance_of_detail(taps) == pytest.approx(within / ((noise - smooth(noise)) ** 2).mean(), rel=0.02)
