"""PSNR and SSIM, against scikit-image."""
from __future__ import annotations

import math

import numpy as np
import pytest
from operation_tester import made_clip
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from talkies.core.measure.image import psnr, ssim


def pair(channels):
    picture = data.astronaut()[:96, :120, :channels].astype(np.float32) / 255
    return picture, np.clip(picture + np.random.default_rng(2).normal(0, 0.05, picture.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_ssim_is_that_of_scikit_image(channels, peak):
    reference, picture = (p * np.float32(peak) for p in pair(channels))
    expected = structural_similarity(
        reference.astype(np.float64), picture.astype(np.float64), data_range=peak, channel_axis=-1,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert ssim(picture, reference, peak) == pytest.approx(expected, abs=1e-6)
    if channels == 1:
        assert ssim(picture[..., 0], reference[..., 0], peak) == ssim(picture, reference, peak)


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_psnr_is_that_of_scikit_image(peak):
    reference, picture = (p * np.float32(peak) for p in pair(3))
    expected = peak_signal_noise_ratio(reference.astype(np.float64), picture.astype(np.float64), data_range=peak)
    assert psnr(picture, reference, peak) == pytest.approx(expected, abs=1e-9)


def test_equal_pictures():
    reference, _ = pair(3)
    assert psnr(reference, reference) == math.inf
    assert ssim(reference, reference) == 1


@pytest.mark.parametrize("height, width", [(1, 1), (1, 20), (10, 12)])
def test_small_frames_have_a_similarity(height, width):
    first, second = made_clip(2, height, width)
    assert 0 < ssim(first, first) <= 1 and ssim(first, 1 - second) < 1


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_shapes_must_agree(measure):
    with pytest.raises(ValueError, match=r"the picture has shape \[24, 32, 3\], the reference \[24, 31, 3\]"):
        measure(made_clip()[0], made_clip()[0, :, :31])
