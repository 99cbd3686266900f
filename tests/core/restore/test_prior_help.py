"""What helps the prior: BM3D that finishes a filled picture, and a second network that its picture is averaged with."""
from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from operation_tester import CancelledError, made_clip

from talkies.core.masked import Mask
from talkies.core.measure.image import psnr
from talkies.core.operation import cut, run, stream
from talkies.core.progress import silent
from talkies.core.restore.bm3d.profile import FAST
from talkies.core.restore.prior import frame_fit
from talkies.core.restore.prior import recipe as recipes
from talkies.core.restore.prior.deep_image_prior import DeepImagePrior
from talkies.core.restore.prior.finish import AROUND, Finish
from talkies.core.restore.prior.fit import Fit, fit
from talkies.core.restore.prior.outcome import report
from talkies.core.restore.prior.runtime import Runtime
from talkies.core.restore.prior.second import averaged, is_white
from talkies.core.restore.prior.target import Target

BRIEF = Finish(FAST, 6)


def stripes(height=64, width=64) -> np.ndarray:
    """Slanted stripes: BM3D finds each block again, linear filling blurs them."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([0.5 + 0.4 * np.sin((columns + 0.6 * rows) / 1.7 + shift) for shift in (0, 1, 2)], -1).astype(np.float32)


def roughly_filled(clean, lost) -> np.ndarray:
    return np.where(lost[..., None], cv2.blur(clean, (5, 5)), clean)


# --- BM3D and the known pixels


def test_a_filled_picture_gets_nearer_and_what_is_known_keeps_its_bits():
    clean = stripes()
    lost = np.random.default_rng(0).random(clean.shape[:2]) < 0.5
    rough = roughly_filled(clean, lost)
    before = rough.copy()
    made = BRIEF.filled(rough, lost, silent)
    assert np.array_equal(made[~lost], clean[~lost]) and np.array_equal(rough, before)
    assert psnr(made, clean) > psnr(rough, clean) + 6


def test_more_rounds_of_falling_strength_beat_one():
    clean = stripes()
    lost = np.random.default_rng(0).random(clean.shape[:2]) < 0.5
    rough = roughly_filled(clean, lost)
    few, many = (psnr(Finish(FAST, rounds).filled(rough, lost, silent), clean) for rounds in (1, 6))
    assert many > few + 1


def test_only_what_surrounds_the_holes_is_looked_at_and_values_stay_in_range():
    clean = stripes(32, 200)
    lost = np.zeros(clean.shape[:2], bool)
    lost[10:14, 20:24] = True
    other = clean.copy()
    other[:, 24 + AROUND :] = 0
    made, again = (BRIEF.filled(roughly_filled(c, lost), lost, silent) for c in (clean, other))
    assert np.array_equal(made[lost], again[lost]) and made[lost].min() >= 0 and made[lost].max() <= 1
    near = clean.copy()
    near[:, 26:40] = 0
    assert not np.array_equal(BRIEF.filled(roughly_filled(near, lost), lost, silent)[lost], made[lost])


def test_a_cancel_passes_through_between_the_rounds():
    def cancel(done, total):
        raise CancelledError

    with pytest.raises(CancelledError):
        BRIEF.filled(stripes(16, 16), np.eye(16, dtype=bool), cancel)


def test_an_enlarged_picture_is_finished_and_still_shrinks_to_the_small_one(factor=2):
    clean = stripes()
    wanted = torch.tensor(clean).permute(2, 0, 1)[None]
    small = Target(wanted, factor=factor).shrunk(wanted)
    given = small[0].permute(1, 2, 0).contiguous().numpy()
    made, fits = {}, []
    for network in ("auto", "hourglass"):
        op = DeepImagePrior(task=f"super_resolve_{factor}x", preset="fast", network=network, iterations=10,
                            runtime=Runtime(finished=lambda index, fit: fits.append(fit)))
        made[network] = run(op, given[None])[0]
        again = Target(wanted, factor=factor).shrunk(torch.tensor(made[network]).permute(2, 0, 1)[None])
        assert float((again - small).abs().max()) < 0.02
    assert [fit.afterwards for fit in fits] == ["finished by BM3D", ""]
    assert psnr(made["auto"], clean) > psnr(made["hourglass"], clean) + 0.3


@pytest.mark.parametrize("channels", [1, 3])
def test_inpaint_is_finished_unless_the_hourglass_alone_is_wanted(channels):
    clip = made_clip(1, 24, 24, channels)
    planes = np.zeros((1, 24, 24), np.float32)
    planes[:, 4:8, 4:8] = 1
    made, fits = {}, {}
    for network in ("auto", "hourglass"):
        op = DeepImagePrior(task="inpaint", preset="fast", network=network, iterations=2, holes=Mask(planes),
                            runtime=Runtime(finished=lambda index, fit, network=network: fits.__setitem__(network, fit)))
        made[network] = run(op, 3 * clip - 1)  # beyond 0..1, so that the range is gone through too
        assert np.array_equal(made[network][0][planes[0] == 0], (3 * clip - 1)[0][planes[0] == 0])
    assert not np.array_equal(made["auto"], made["hourglass"])
    assert fits["auto"].afterwards == "finished by BM3D" and not fits["hourglass"].afterwards
    assert report([(0, fits["auto"])]).figures["afterwards"] == "1 of 1 fits finished by BM3D"
    assert "afterwards" not in report([(0, fits["hourglass"])]).figures


# --- the second network


def noise(blurred: bool, height=64, width=64, seed=0) -> np.ndarray:
    made = np.random.default_rng(seed).normal(0, 0.1, (height, width, 3)).astype(np.float32)
    return 2 * cv2.GaussianBlur(made, (0, 0), 1.0) if blurred else made


def test_white_noise_is_told_from_blurred_noise_and_from_nothing():
    for removed, white in ((noise(False), True), (noise(True), False), (np.zeros((64, 64, 3), np.float32), False)):
        assert is_white(torch.tensor(removed).permute(2, 0, 1)[None]) == white
    assert not is_white(torch.ones(1, 3, 1, 1))


def test_the_average_is_of_both_pictures_and_keeps_the_first_fit():
    first = Fit(torch.zeros(1, 3, 4, 4), {}, 70, 90, "variance", (1.0,), (0.5,), 2.0, 5.0, "float32", False)
    made = averaged(first, replace(first, picture=torch.ones(1, 3, 4, 4), best=1200, seconds=3.0, memory=7.0))
    assert bool((made.picture == 0.5).all()) and (made.best, made.seconds, made.memory) == (70, 5.0, 7.0)
    assert made.afterwards == "averaged with zs_n2n"


@pytest.fixture
def narrow(monkeypatch):
    """Small networks under every preset."""
    for network, widths in (("hourglass", (8, 8)), ("zs_n2n", (8,))):
        for preset in ("fast", "balanced"):
            monkeypatch.setitem(recipes._SIZES[network], preset, (40, widths))


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("settings", "blurred", "expected"), [
    ({}, False, "averaged with zs_n2n"), ({}, True, ""), ({"network": "hourglass"}, False, ""), ({"loss": "absolute"}, False, ""),
    ({"chroma": 0.5}, False, ""), ({"preset": "fast"}, False, ""), ({"task": "artefacts"}, False, ""),
])
def test_only_a_longer_denoise_of_white_noise_is_averaged(settings, blurred, expected):
    fits = []
    run(DeepImagePrior(**settings, runtime=Runtime(finished=lambda index, fit: fits.append(fit))), 0.5 + noise(blurred)[None])
    assert [fit.afterwards for fit in fits] == [expected]


@pytest.mark.usefixtures("narrow")
def test_the_second_network_too_starts_from_the_frame_before_and_cuts_change_nothing(monkeypatch):
    starts, ends = [], []

    def watched(problem, *rest):
        starts.append({name: weight.clone() for name, weight in problem.network.state_dict().items()})
        made = fit(problem, *rest)
        ends.append(made.weights)
        return made

    clip = np.stack([0.5 + noise(False, 32, 32, seed) for seed in range(2)])
    parts = list(stream(DeepImagePrior(), cut(clip, 1)))
    monkeypatch.setattr(frame_fit, "fit", watched)
    assert np.array_equal(np.concatenate([p for _, p in parts]), run(DeepImagePrior(), clip))
    assert len(starts) == 4, "two networks a frame"
    for network in (0, 1):
        assert all(torch.equal(starts[2 + network][name], weight) for name, weight in ends[network].items())


@pytest.mark.usefixtures("narrow")
def test_a_fit_that_the_time_limit_ended_has_no_second(monkeypatch):
    from talkies.core.restore.prior import fit as module

    clock = iter(range(10**6))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    fits = []
    run(DeepImagePrior(time_limit=20, runtime=Runtime(finished=lambda index, fit: fits.append(fit))), 0.5 + noise(False)[None])
    assert fits[0].ended == "time" and not fits[0].afterwards
