"""Deblur: sharper than its peers at their best, in colour, to the rim; and the noise of the inverse is what it says."""
from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from operation_tester import OperationTester, made_clip
from skimage import data, restoration

from talkies.core.measure.image import psnr
from talkies.core.operation import run
from talkies.core.restore.bm3d.profile import FAST
from talkies.core.restore.deblur.inverse import Blur
from talkies.core.restore.deblur.operation import Deblur
from talkies.core.restore.deblur.psf import gaussian, motion
from talkies.core.restore.deblur.restore import restored
from talkies.core.settings import SettingError

RIM = 24


class TestDeblur(OperationTester):
    variants = (
        Deblur(sigma=2, profile="fast", rounds=2),
        Deblur(psf="motion", length=5, angle=30, profile="fast", rounds=0),
        Deblur(psf="picture", picture=((0, 1, 0), (1, 2, 1), (0, 3, 0)), sigma=1, profile="fast", rounds=1, strength=0.7),
    )


def blurred(psf, sigma, name="astronaut", size=192, top=20, left=90):
    """A piece of a photograph, blurred with what lies around it, and noise added: sharp, blurred, ``[H,W,C]``."""
    whole = getattr(data, name)()[top : top + size + 2 * RIM, left : left + size + 2 * RIM].astype(np.float64) / 255
    whole = whole.reshape(*whole.shape[:2], -1)
    spread = np.stack([scipy.ndimage.convolve(whole[..., c], psf) for c in range(whole.shape[2])], axis=-1)[RIM:-RIM, RIM:-RIM]
    noise = np.random.default_rng(0).standard_normal(spread.shape) * sigma / 255
    return whole[RIM:-RIM, RIM:-RIM].astype(np.float32), (spread + noise).astype(np.float32)


def peers_at_their_best(frame, psf, sharp, balance, count):
    """PSNR of the better of scikit-image's Wiener and Richardson-Lucy filters at given settings."""
    padded = [np.pad(frame[..., c], RIM, mode="reflect").astype(np.float64) for c in range(frame.shape[2])]

    def made(method):
        return psnr(np.stack([method(plane) for plane in padded], axis=-1)[RIM:-RIM, RIM:-RIM].astype(np.float32), sharp)

    wiener = made(lambda plane: restoration.wiener(plane, psf, balance, clip=False))
    return max(wiener, made(lambda plane: restoration.richardson_lucy(plane.clip(1e-6), psf, count, clip=False)))


# The last two are the peers' best settings for the very picture, out of 12 balances from 0.0003 to 1 and of 4, 8 ... 64 rounds.
CASES = {
    "gaussian, gray": (("camera", 256, 80, 100), gaussian((15, 15), 1.6), Deblur(blur_sigma=1.6, sigma=1.5), 0.0013, 64),
    "gaussian, gray, noisy": (("camera", 256, 80, 100), gaussian((15, 15), 1.6), Deblur(blur_sigma=1.6, sigma=5), 0.025, 16),
    "gaussian, colour, noisy": (
        ("astronaut", 192, 20, 90), gaussian((15, 15), 1.6), Deblur(blur_sigma=1.6, sigma=5, profile="fast"), 0.025, 24),
    "wide gaussian, colour": (
        ("astronaut", 192, 20, 90), gaussian((21, 21), 2.5),
        Deblur(blur_sigma=2.5, rows=21, columns=21, sigma=1.5, profile="fast"), 0.0057, 128),
    "motion, colour": (
        ("astronaut", 192, 20, 90), motion(9, 30), Deblur(psf="motion", length=9, angle=30, sigma=1.5, profile="fast"), 0.052, 32),
    "motion, colour, noisy": (
        ("coffee", 192, 90, 90), motion(15, 0), Deblur(psf="motion", length=15, sigma=5, profile="fast"), 1.0, 12),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_a_decibel_better_than_its_peers_at_their_best(case):
    piece, psf, operation, balance, count = CASES[case]
    sharp, frame = blurred(psf, operation.sigma, *piece)
    made = operation(frame)[0]
    assert psnr(made, sharp) >= peers_at_their_best(frame, psf, sharp, balance, count) + 1
    if frame.shape[2] == 3:  # colour is kept: chroma is nearer to the sharp picture's than the blurred one's is
        chroma = [picture[..., 0] - picture[..., 2] for picture in (made, frame, sharp)]
        assert psnr(chroma[0], chroma[2]) >= psnr(chroma[1], chroma[2]) + 1


def test_the_rim_does_not_ring():
    psf = motion(15, 0)
    sharp, frame = blurred(psf, 1.5)
    made = Deblur(psf="motion", length=15, sigma=1.5, profile="fast")(frame)[0]
    rim = np.ones(sharp.shape[:2], bool)
    rim[8:-8, 8:-8] = False
    assert psnr(made[rim], sharp[rim]) >= psnr(frame[rim], sharp[rim]) + 1


def test_measured_noise_serves_as_well_as_the_true_one():
    sharp, frame = blurred(gaussian((15, 15), 1.6), 5)
    made = [psnr(run(Deblur(sigma=s, profile="fast", rounds=2), frame)[0], sharp) for s in (0, 5)]
    assert made[0] >= made[1] - 0.3


def test_a_picture_of_the_blur_does_what_the_blur_named_does():
    frame = made_clip(1, 40, 50)
    named = Deblur(psf="motion", length=5, angle=45, sigma=2, profile="fast", rounds=1)
    drawn = Deblur(psf="picture", picture=motion(5, 45).tolist(), sigma=2, profile="fast", rounds=1)
    assert np.allclose(named(frame), drawn(frame), atol=1e-4)


def test_the_noise_through_the_inverse_is_that_of_filtered_noise():
    blur = Blur.of(gaussian((15, 15), 1.6), 200, 200)
    inverse = blur.inverse(0.002)
    noise = np.random.default_rng(0).standard_normal(blur.canvas).astype(np.float32)
    through = blur.plane(blur.spectrum(noise) * inverse)
    told = blur.noise_through(inverse, 1.0)
    assert told.sigma == pytest.approx(through.std(), rel=0.03)
    for down, right in ((0, 1), (1, 0), (1, 1), (0, 3), (2, -1)):
        found = (through * np.roll(through, (-down, -right), (0, 1))).mean() / through.var()
        assert told.correlation[7 + down, 7 + right] == pytest.approx(found, abs=0.03)


def test_the_canvas_blurs_as_a_convolution_does():
    psf = motion(7, 20)
    blur = Blur.of(psf, 60, 50)
    plane = np.random.default_rng(1).random(blur.canvas).astype(np.float32)
    expected = scipy.ndimage.convolve(plane.astype(np.float64), psf, mode="wrap")
    assert np.allclose(blur.plane(blur.spectrum(plane) * blur.transfer), expected, atol=1e-5)
    assert scipy.fft.next_fast_len(blur.canvas[0], real=True) == blur.canvas[0]


def test_the_picture_agreed_on_solves_the_normal_equations_of_the_frame_alone():
    blur = Blur.of(motion(7, 20), 40, 31)
    rng = np.random.default_rng(2)
    plane, guess = rng.random((40, 31), np.float32), rng.random(blur.canvas, np.float32)
    made = blur.plane(blur.agreed(plane, blur.spectrum(guess), 0.05, 60))
    missed = np.zeros(blur.canvas, np.float32)
    missed[blur.frame] = blur.plane(blur.spectrum(made) * blur.transfer)[blur.frame] - plane
    slope = blur.plane(np.conj(blur.transfer) * blur.spectrum(missed)) + 0.05 * (made - guess)
    assert np.abs(slope).max() < 1e-4
    assert np.abs(made - guess).max() > 0.1


def test_values_stay_where_the_picture_can_be():
    sharp, frame = blurred(motion(9, 30), 1.5, size=96)
    blur = Blur.of(motion(9, 30), 96, 96)
    made = restored(frame, blur, 1.5, FAST, 2)
    assert made.min() >= 0 and made.max() <= 1 and psnr(made, sharp) >= psnr(frame, sharp) + 2
    bright = restored(3 * frame, blur, 4.5, FAST, 2)
    assert bright.max() > 2


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(SettingError, match="rows is 4; it must be odd"):
        Deblur(rows=4)
    with pytest.raises(SettingError, match="Link an image of one blurred point"):
        Deblur(psf="picture", sigma=1)(made_clip())
    with pytest.raises(SettingError, match="at most 101 px"):
        Deblur(psf="picture", picture=np.ones((103, 3)).tolist())
    with pytest.raises(SettingError, match="is not measured yet"):
        Deblur()(made_clip())
