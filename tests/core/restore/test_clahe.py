"""LB-CLAHE: hue and chroma kept, noise and order spared, float all the way, and exact where it must be."""
from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from operation_tester import OperationTester, made_clip
from skimage import data
from skimage.color import rgb2lab

from talkies.core.operation import run
from talkies.core.restore.clahe import colour, predict
from talkies.core.restore.clahe.features import FEATURES, GRID, by_rule
from talkies.core.restore.clahe.lbclahe import LBCLAHE
from talkies.core.restore.clahe.local import curves_of, lines, look
from talkies.core.restore.clahe.tones import BANDS, BINS, KNOTS, changes
from talkies.core.settings import SettingError

SPACES = ("lab", "oklab", "hsv", "ycbcr")
NO_NOISE = np.zeros(BANDS, np.float32)


class TestLBCLAHE(OperationTester):
    variants = (
        LBCLAHE(),
        LBCLAHE(mode="rule_based", over_time="frame", space="oklab"),
        LBCLAHE(mode="fixed", clip_limit=4.0, tiles=5, space="hsv", locality=1.0),
        LBCLAHE(mode="fixed", tiles=9, over_time="frame", space="ycbcr", strength=0.4),
    )


def fixed(clip=2.0, tiles=8, **settings):
    return LBCLAHE(mode="fixed", clip_limit=clip, tiles=tiles, over_time="frame", **settings)


@pytest.fixture(scope="module")
def portrait():
    return data.astronaut().astype(np.float32) / 255


@pytest.fixture(scope="module")
def dark(portrait):
    noise = np.random.default_rng(0).normal(0, 2 / 255, portrait.shape)
    return np.clip(0.25 * portrait + noise, 0, 1).astype(np.float32)


def opencv_clahe(frame, clip=2.0, tiles=8):
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB)
    levels = np.round(lab[..., 0] * 2.55).astype(np.uint8)
    lab[..., 0] = cv2.createCLAHE(clip, (tiles, tiles)).apply(levels) / 2.55
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)


def lightness(frame):
    return np.clip(cv2.cvtColor(np.clip(frame, 0, 1), cv2.COLOR_RGB2LAB)[..., 0] / 100, 0, 1)


def entropy(frame):
    shares = np.bincount((lightness(frame) * 255 + 0.5).astype(int).ravel(), minlength=256) / frame[..., 0].size
    return -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()


def noise_in_shadows(frame, before):
    a, b, c, d = (lightness(frame)[i::2, j::2] for i in (0, 1) for j in (0, 1))
    return np.median(np.abs(a - b - c + d)[lightness(before)[::2, ::2] < 0.35])


def order_errors(before, after):
    p, q = (np.round(np.clip(v, 0, 1).max(-1)[::8, ::8] * 255).ravel() for v in (before, after))
    return np.mean((p[:, None] >= p) != (q[:, None] >= q))


def at_entropy(wanted, frame, **settings):
    low, high = 1.0, 10.0
    for _ in range(8):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if entropy(fixed(middle, **settings)(frame)[0]) < wanted else (low, middle)
    return fixed(high, **settings)(frame)[0]


# --- what it is for


def test_at_opencvs_entropy_noise_in_shadows_and_order_errors_are_far_lower(dark):
    peer = opencv_clahe(dark)
    made = at_entropy(entropy(peer), dark)
    assert entropy(peer) > entropy(dark) + 0.6
    assert entropy(made) == pytest.approx(entropy(peer), abs=0.03)
    before = noise_in_shadows(dark, dark)
    assert noise_in_shadows(made, dark) / before <= 0.6 * noise_in_shadows(peer, dark) / before
    assert order_errors(dark, made) <= 0.8 * order_errors(dark, peer)


@pytest.mark.parametrize("space, most", [("lab", 0.02), ("hsv", 0.02), ("ycbcr", 0.02), ("oklab", 0.02)])
@pytest.mark.parametrize("which", ["portrait", "dark"])
def test_hue_and_chroma_are_kept(space, most, which, request):
    frame = request.getfixturevalue(which)
    made = fixed(space=space)(frame)[0]
    assert made.min() >= 0 and made.max() <= 1
    assert np.abs(made - frame).mean() > 0.01
    assert np.abs(rgb2lab(made) - rgb2lab(frame))[..., 1:].mean() <= most


def test_a_dark_picture_is_lifted_and_a_good_one_hardly_changed(portrait, dark):
    operation = LBCLAHE(over_time="frame")
    lifted, kept = operation(dark)[0], operation(portrait)[0]
    assert lightness(lifted).mean() > 1.25 * lightness(dark).mean()
    assert abs(lightness(kept).mean() - lightness(portrait).mean()) < 0.06


def test_an_edge_gets_no_halo():
    frame = np.full((256, 256, 3), 0.2, np.float32)
    frame[:, 128:] = 0.7
    frame += np.random.default_rng(1).normal(0, 0.004, (256, 256, 1)).astype(np.float32)
    made = lightness(fixed(4.0)(frame)[0]).mean(0)
    for side in (made[20:127], made[130:236]):
        assert np.ptp(cv2.blur(side[None], (5, 1))) < 0.01
    peer = lightness(opencv_clahe(frame, 4.0)).mean(0)
    assert max(np.ptp(cv2.blur(side[None], (5, 1))) for side in (peer[20:127], peer[130:236])) > 0.02


def test_flat_noise_is_not_raised_where_contrast_is(dark):
    rng = np.random.default_rng(4)
    frame = np.full((256, 256, 3), 0.15, np.float32)
    frame[64:192, 64:192] += 0.12 * (np.indices((128, 128)).sum(0) // 16 % 2)[..., None]
    frame = (frame + rng.normal(0, 3 / 255, (256, 256, 1))).astype(np.float32)
    made = fixed(4.0)(frame)[0]
    before, after = lightness(frame), lightness(made)
    assert after[70:186, 70:186].std() > 1.25 * before[70:186, 70:186].std()
    assert after[4:40].std() < 1.25 * before[4:40].std()
    assert lightness(opencv_clahe(frame, 4.0))[4:40].std() > 1.8 * before[4:40].std()


def test_it_works_in_float():
    ramp = np.linspace(0.30, 0.34, 4096, dtype=np.float32)[None, :, None].repeat(64, 0).repeat(3, 2)
    made = fixed(3.0)(ramp)[0][32, :, 0]
    assert len(np.unique(made)) > 3000 and (np.diff(made) > -1e-5).all()
    assert len(np.unique(opencv_clahe(ramp, 3.0)[32, :, 0])) < 60


def test_strength_is_linear_in_lightness_and_zero_is_identity(portrait):
    full, half = fixed(3.0)(portrait)[0], fixed(3.0, strength=0.5)(portrait)[0]
    before = lightness(portrait)
    inner = (full.max(-1) < 0.97) & (full.min(-1) > 0.03)
    assert np.allclose((lightness(half) - before)[inner], 0.5 * (lightness(full) - before)[inner], atol=4e-3)
    wild = made_clip() * 3 - 1
    for over_time in ("shot", "frame"):
        operation = LBCLAHE(strength=0, over_time=over_time)
        assert operation.identity and np.array_equal(run(operation, wild), wild)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("value", [0.0, 0.37, 1.0])
def test_constant_frames_stay_constant(space, channels, value):
    frame = np.full((1, 40, 50, channels), value, np.float32)
    made = fixed(3.0, space=space)(frame)
    assert np.ptp(made) < 1e-5 and np.allclose(made, frame, atol=0.01)


def test_gray_frames_are_equalised_as_gray_rgb(portrait):
    gray = np.ascontiguousarray(portrait[:128, :160, 1:2])
    made, coloured = fixed()(gray)[0], fixed()(np.repeat(gray, 3, -1))[0]
    assert np.allclose(made, coloured, atol=2e-5)


@settings(max_examples=25, deadline=None)
@given(frame=hnp.arrays(np.float32, (1, 6, 7, 3), elements=st.floats(-4, 8, width=32)), space=st.sampled_from(SPACES),
       clip=st.floats(1, 10))
def test_what_lies_outside_the_range_keeps_its_excess(frame, space, clip):
    made, inside = fixed(clip, space=space)(frame), fixed(clip, space=space)(np.clip(frame, 0, 1))
    assert np.allclose(made, inside + (frame - np.clip(frame, 0, 1)), atol=1e-5)
    assert inside.min() >= -1e-5 and inside.max() <= 1 + 1e-5


# --- colour


def test_lightness_is_cielabs_and_oklabs():
    rgb = np.random.default_rng(2).random((40, 50, 3)).astype(np.float32)
    rgb[0, :8] = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.01, 0.01, 0.02], [1, 1, 0], [0, 1, 1]])
    assert np.allclose(colour.samples(rgb, colour.LAB, 1), rgb2lab(rgb.astype(np.float64))[..., 0] / 100, atol=3e-5)
    assert colour.samples(np.float32([[[1, 0, 0]]]), colour.OKLAB, 1)[0, 0] == pytest.approx(0.6279, abs=2e-4)  # Ottosson's own red
    assert np.allclose(colour.samples(rgb, colour.HSV, 1), rgb.max(-1))
    assert np.allclose(colour.samples(rgb, colour.YCBCR, 1), cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), atol=1e-6)


def shifted(rgb, space, offset, gain=0.0):
    planes = np.full((1, 1), gain, np.float32), np.full((1, 1), offset, np.float32)
    out = np.empty_like(rgb)
    colour.shift_lightness(rgb.reshape(len(rgb), -1), 3, space, *planes, 1, 0, 1.0, out.reshape(len(rgb), -1))
    return out


def test_a_shift_of_lightness_is_just_that():
    rgb = (0.25 + 0.5 * np.random.default_rng(2).random((30, 40, 3))).astype(np.float32)
    before, after = (rgb2lab(v.astype(np.float64)) for v in (rgb, shifted(rgb, colour.LAB, 0.05)))
    inside = shifted(rgb, colour.LAB, 0.05).max(-1) < 0.999
    assert np.allclose((after - before)[inside], [5, 0, 0], atol=0.01)
    for space in range(4):
        assert np.allclose(shifted(rgb, space, 0.0), rgb, atol=3e-5)
        moved = colour.samples(shifted(rgb, space, 0.03), space, 1) - colour.samples(rgb, space, 1)
        assert moved.mean() == pytest.approx(0.03, abs=0.006)


@pytest.mark.parametrize("offset", [-0.4, 0.4])
def test_at_the_gamuts_end_lightness_stops_and_colour_stays(offset):
    rgb = np.random.default_rng(2).random((60, 70, 3)).astype(np.float32)
    made = shifted(rgb, colour.LAB, offset)
    before, after = rgb2lab(rgb.astype(np.float64)), rgb2lab(made.astype(np.float64))
    assert made.min() >= 0 and made.max() <= 1
    assert np.abs((after - before)[..., 1:]).mean() < 0.05
    moved = (after - before)[..., 0] * np.sign(offset)
    assert moved.min() > -0.2 and moved.mean() > 5 and (moved < 39).any()


# --- tone curves


def test_no_curve_is_steeper_than_its_limit(portrait):
    seen = look(colour.samples(portrait, colour.LAB, 1), 8)
    for clip in (1.0, 1.5, 3.0, 10.0):
        curves = curves_of(seen.joined(8), clip, NO_NOISE, 1.0)
        slopes = np.diff(curves, axis=-1) * (KNOTS - 1)
        assert slopes.min() >= 0 and slopes.max() <= clip * 1.001 and (curves[..., 0] == 0).all() and np.allclose(curves[..., -1], 1)
    assert np.allclose(curves_of(seen.joined(8), 1.0, NO_NOISE, 1.0), np.linspace(0, 1, KNOTS), atol=1e-5)


def test_noise_in_the_shadows_lowers_the_limit_there():
    shares = np.ones((1, 1, BINS))
    shares[..., BINS // 8 : BINS // 4] = 5
    shares /= shares.mean()
    clean, noisy = (curves_of(shares, 4.0, np.full(BANDS, sigma, np.float32), 1.0) for sigma in (0.0, 0.03))
    inside = np.s_[0, 0, KNOTS // 8 + 1 : KNOTS // 4]
    assert np.diff(noisy[inside]).max() < 0.6 * np.diff(clean[inside]).max()
    bright = np.roll(shares, BINS // 2 + BINS // 8, -1)
    assert np.allclose(curves_of(bright, 4.0, np.full(BANDS, 0.03, np.float32), 1.0)[0, 0, -8:],
                       curves_of(bright, 4.0, NO_NOISE, 1.0)[0, 0, -8:], atol=0.02)


def test_the_noise_is_measured_by_lightness():
    rng = np.random.default_rng(5)
    plane = np.repeat(np.linspace(0.05, 0.95, 400, dtype=np.float32)[:, None], 500, 1)
    sigma = np.where(plane < 0.5, 0.012, 0.004)
    found = look((plane + sigma * rng.standard_normal(plane.shape)).astype(np.float32)).noise
    assert found[1] == pytest.approx(0.012, rel=0.1) and found[6] == pytest.approx(0.004, rel=0.1)
    assert (look(plane).noise < 1e-4).all()


def test_across_an_edge_a_tile_without_such_pixels_has_no_say():
    plane = np.full((64, 64), 0.2, np.float32)
    plane[:, 32:] = 0.8
    curves = np.empty((1, 2, KNOTS), np.float32)
    knots = np.linspace(0, 1, KNOTS, dtype=np.float32)
    curves[0, 0] = np.interp(knots, [0, 0.1, 0.3, 1], [0, 0.02, 0.6, 1])  # steep where the left tile's pixels are
    curves[0, 1] = np.interp(knots, [0, 0.7, 0.9, 1], [0, 0.35, 0.95, 1])
    made = np.empty_like(plane)
    changes(plane, curves, made)
    own = np.interp(0.2, knots, curves[0, 0]) - 0.2
    assert made[30, 31] == pytest.approx(own, abs=0.03)  # halfway between the two tiles' centres
    assert abs(0.5 * (np.interp(0.2, knots, curves[0, 0]) + np.interp(0.2, knots, curves[0, 1])) - 0.2 - own) > 0.07


def test_the_fitted_line_follows_edges_and_evens_out_noise():
    rng = np.random.default_rng(6)
    plane = np.full((200, 200), 0.3, np.float32)
    plane[:, 100:] = 0.6
    plane = (plane + rng.normal(0, 0.01, plane.shape)).astype(np.float32)
    curve = np.interp(np.linspace(0, 1, KNOTS), [0, 0.2, 0.7, 1], [0, 0.1, 0.85, 1]).astype(np.float32)
    gain, offset = lines(plane, curve[None, None], np.full(BANDS, 0.01, np.float32))
    made = plane + gain * plane + offset
    assert made[50:150, 20:80].std() < 1.1 * plane[50:150, 20:80].std()  # the curve alone: 1.5 times
    assert made[:, 110:190].mean() - made[:, 10:90].mean() == pytest.approx(0.45, abs=0.01)
    assert made[:, 101].mean() - made[:, 98].mean() > 0.42


# --- the regressor


def test_features_are_what_their_names_say(portrait):
    seen = look(colour.samples(portrait, colour.LAB, 1))
    found = dict(zip(FEATURES, seen.features(), strict=True))
    plane = rgb2lab(portrait)[..., 0] / 100
    assert found["mean"] == pytest.approx(plane.mean(), abs=2e-3) and found["deviation"] == pytest.approx(plane.std(), abs=2e-3)
    assert found["p25"] == pytest.approx(np.quantile(plane, 0.25), abs=5e-3) and found["range"] == found["p99"] - found["p1"]
    assert found["dark share"] == pytest.approx((plane < 0.1).mean(), abs=0.01)
    assert seen.tiles.shape == (GRID, GRID, BINS) and seen.tiles.sum() == plane.size
    assert np.isfinite(seen.features()).all()


def test_modes_choose_by_the_picture(portrait, dark):
    plain, low = (look(colour.samples(frame, colour.LAB, 1)).features() for frame in (portrait, dark))
    for choose in (by_rule, predict.trained()):
        (clip, tiles), (clip_low, tiles_low) = choose(plain), choose(low)
        assert clip_low > clip + 0.5
        assert all(1 <= c <= 10 for c in (clip, clip_low)) and all(1 <= t <= 4 for t in (tiles, tiles_low))
    noisier = low.copy()
    noisier[FEATURES.index("noise in shadows")] = np.log10(0.05)
    assert by_rule(noisier)[0] < 0.6 * by_rule(low)[0]


def test_the_weights_are_small_and_belong_to_these_features():
    assert predict.WEIGHTS.stat().st_size < 8192
    plain = json.loads(predict.WEIGHTS.read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="trained on other features"):
        predict.Regressor.from_json({**plain, "features": plain["features"][::-1]})
    wild = predict.trained()(np.full(len(FEATURES), 1e6))
    assert 1 <= wild[0] <= 10 and 1 <= wild[1] <= 4


def test_fixed_settings_do_nothing_in_the_other_modes(dark):
    plain = LBCLAHE(over_time="frame")(dark)
    assert np.array_equal(plain, LBCLAHE(over_time="frame", clip_limit=9.0, tiles=2)(dark))
    assert not np.array_equal(plain, fixed(9.0, 2)(dark))


def test_an_unsurveyed_clip_is_refused_in_words():
    with pytest.raises(SettingError, match="the shots of the clip are not known yet"):
        LBCLAHE()(made_clip())
