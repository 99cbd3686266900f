"""Film grain: measured right, put in as measured, taken out, matched; never frozen, never tiled, black and white left alone."""
from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operation_tester import CancelledError, OperationTester, made_clip
from skimage import data

from talkies.core.masked import Mask, Masked
from talkies.core.measure.image import psnr
from talkies.core.operation import run
from talkies.core.restore.grain.add import AddGrain, missing, strengths
from talkies.core.restore.grain.classify import LEAST
from talkies.core.restore.grain.files import read_grain, write_grain
from talkies.core.restore.grain.measure import measure_grain
from talkies.core.restore.grain.plot import plot_grain
from talkies.core.restore.grain.presets import PRESETS, preset_profile
from talkies.core.restore.grain.profile import GrainError, GrainProfile, scaled_lags
from talkies.core.restore.grain.remove import RemoveGrain, stabilising_curve
from talkies.core.restore.noise.flat import LEVELS
from talkies.core.restore.noise.spectrum import WHITE, correlation_size, gaussian_lags, radial_spectrum

COARSE = replace(preset_profile("8mm"), height=0, blocks=100)


class TestAddGrain(OperationTester):
    variants = (
        AddGrain(), AddGrain(preset="high_iso", chroma=2, seed=5, strength=2), AddGrain(profile=COARSE, chroma=0, size=2),
        AddGrain(preset="16mm", fill_up=True, fixed_size=True, where=Mask(np.ones((1, 24, 32), np.float32))),
    )


class TestRemoveGrain(OperationTester):
    # Their profile is given: a clip of a few small frames has no flat parts to measure.
    variants = (
        RemoveGrain(profile=COARSE),
        RemoveGrain(profile=replace(COARSE, lags=WHITE), method="fast", preservation=0.5, texture=0, strength=2),
    )


@pytest.fixture(scope="module")
def shaded():
    rows, columns = np.mgrid[:320, :512].astype(np.float32)
    picture = 0.2 + 0.6 * columns / 512 + 0.02 * np.sin(rows / 40)
    return np.repeat(np.stack([picture] * 3)[..., None], 3, axis=3)


def within_20_db(grain):
    rings = radial_spectrum(grain.lags)
    return rings > 0.01 * rings.max()


def measured(clip, **more):
    return measure_grain([(0, clip)], **more)


# --- measure


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_measured_as_what_it_is(preset, shaded):
    wanted = preset_profile(preset)
    found = measured(run(AddGrain(preset=preset, fixed_size=True), shaded))
    middle = slice(LEVELS // 4, 3 * LEVELS // 4)
    assert np.array(found.sigmas[middle]) == pytest.approx(np.array(wanted.sigmas[middle]), rel=0.1)
    assert found.size == pytest.approx(wanted.size, rel=0.1)
    assert np.mean(found.cb_sigmas[middle]) == pytest.approx(np.mean(wanted.cb_sigmas[middle]), rel=0.1)
    strong = within_20_db(wanted)
    assert abs(10 * np.log10(radial_spectrum(found.lags) / radial_spectrum(wanted.lags)))[strong].max() <= 1
    assert abs(found.temporal) < 0.05


def test_kinds(shaded):
    big = shaded[:1, :260]  # so few rows that sizes are judged in px
    random = np.random.default_rng(2)
    assert measured(big).kind == "none"
    assert measured(big + random.normal(0, 0.03, big.shape).astype(np.float32)).kind == "digital noise"
    assert measured(big + random.normal(0, 0.03, (*big.shape[:3], 1)).astype(np.float32)).kind == "fine"
    for kind, size in (("fine", 0.35), ("medium", 0.8), ("coarse", 1.6)):
        grain = replace(preset_profile("35mm"), lags=gaussian_lags(size), height=0)
        found = measured(run(AddGrain(profile=grain, strength=2, chroma=0), big))
        assert found.kind == kind and found.confidence > 0.5, found
    rows, columns = np.mgrid[: big.shape[1], : big.shape[2]]
    mesh = 0.02 * np.sin(2 * np.pi * columns / 8) * np.sin(2 * np.pi * rows / 8)
    found = measured((big + mesh[None, ..., None] + random.normal(0, 0.004, big.shape)).astype(np.float32))
    assert found.kind == "regular pattern" and found.pattern == pytest.approx((1 / 8, 1 / 8), abs=0.02)


def test_a_frozen_pattern_is_told_from_film(shaded):
    one = run(AddGrain(preset="16mm", fixed_size=True), shaded[:1])
    frozen = measured(np.concatenate([one, one, one]))
    assert frozen.temporal > 0.95 and frozen.confidence < 0.2


@pytest.mark.parametrize("cuts", [1, 2, 5])
def test_where_a_clip_is_cut_does_not_show(cuts):
    clip = run(AddGrain(preset="16mm", fixed_size=True), np.full((40, 96, 96, 3), 0.4, np.float32))
    whole = measured(clip)
    assert measure_grain((start, clip[start : start + cuts]) for start in range(0, 40, cuts)) == whole
    assert 8 <= whole.frames <= 16


def test_measuring_keeps_to_the_mask(shaded):
    mask = np.zeros((1, 320, 512), np.float32)
    mask[:, :, 256:] = 1
    grainy = np.where(mask[0, ..., None] > 0, run(AddGrain(preset="8mm", fixed_size=True), shaded), shaded)
    assert measured(grainy, mask=Mask(mask)).kind == "none"
    assert measured(grainy, mask=Mask(mask), outside=False).kind == "coarse"


def test_measuring_can_be_cancelled():
    def cancel(done, total):
        raise CancelledError

    with pytest.raises(CancelledError):
        measure_grain([(0, made_clip(4))], cancel)


# --- add


def test_frames_differ_and_the_same_frame_repeats():
    clip = np.full((4, 64, 96, 1), 0.5, np.float32)
    grain = AddGrain(preset="16mm")(clip) - clip
    for i in range(4):
        assert np.array_equal(AddGrain(preset="16mm")(clip[i : i + 1], i)[0] - clip[i], grain[i])
        for j in range(i):
            assert abs(np.corrcoef(grain[i].ravel(), grain[j].ravel())[0, 1]) < 0.15
    assert not np.array_equal(AddGrain(preset="16mm", seed=1)(clip) - clip, grain)


def test_no_tiling():
    grain = AddGrain(preset="fine", strength=3)(np.full((1, 1080, 1400, 1), 0.5, np.float32))[0, ..., 0] - 0.5
    power = abs(np.fft.rfft2(grain, (2160, 2800))) ** 2
    correlation = np.fft.irfft2(power)[:1080, :1400] / np.fft.irfft2(power)[0, 0]
    correlation[:12, :12] = 0
    assert correlation.max() < 0.02


def test_seams_do_not_show():
    grain = AddGrain(preset="35mm", fixed_size=True, strength=2)(np.full((24, 256, 256, 1), 0.5, np.float32))[..., 0] - 0.5
    by_row, by_column = grain.std(axis=(0, 2)), grain.std(axis=(0, 1))
    assert max(by_row.max() / by_row.min(), by_column.max() / by_column.min()) < 1.15
    steps = abs(np.diff(grain, axis=2)).mean(axis=(0, 1))
    assert steps.max() / np.median(steps) < 1.1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_stay(value):
    clip = np.full((1, 40, 40, 3), value, np.float32)
    assert np.array_equal(AddGrain(preset="8mm", strength=4)(clip), clip)


def test_grain_keeps_the_mean():
    clip = np.full((4, 200, 200, 3), 0.06, np.float32)
    assert AddGrain(preset="8mm", strength=2)(clip).mean() == pytest.approx(0.06, abs=1e-3)


def test_chroma_multiplies_the_colour_of_the_grain():
    clip = np.full((1, 96, 96, 3), 0.5, np.float32)

    def colour(chroma):
        red, green, blue = np.moveaxis(AddGrain(preset="high_iso", chroma=chroma)(clip)[0], 2, 0)
        return (blue - 0.299 * red - 0.587 * green - 0.114 * blue).std()

    assert colour(0.0) < 1e-6 < 0.01 < colour(1.0)
    assert colour(2.0) == pytest.approx(2 * colour(1.0), rel=0.05)


def test_size_grows_with_the_frame():
    sizes = [measured(AddGrain(preset="35mm", strength=2)(np.full((2, rows, rows, 3), 0.5, np.float32))).size for rows in (540, 1080)]
    assert sizes[1] > 1.3 * sizes[0]
    assert correlation_size(scaled_lags(gaussian_lags(1.0), 2)) == pytest.approx(2 * correlation_size(gaussian_lags(1.0)), rel=0.06)


def test_strength_zero_is_identity():
    clip = made_clip()
    assert AddGrain(strength=0).identity and np.array_equal(AddGrain(strength=0)(clip), clip)


# --- remove


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket", "camera"])
def test_clean_pictures_stay(name):
    picture = getattr(data, name)().astype(np.float32)[None] / 255
    picture = picture[..., None] if picture.ndim == 3 else picture
    assert psnr(run(RemoveGrain(), picture), picture) >= 50


@pytest.mark.parametrize("method", ["fast", "bm3d"])
@pytest.mark.parametrize("preset", ["35mm", "high_iso"])
def test_grain_goes_and_the_picture_stays(method, preset, shaded):
    clip = shaded[:1]
    grainy = run(AddGrain(preset=preset, fixed_size=True, strength=2), clip)
    made = run(RemoveGrain(method=method, texture=0), grainy)
    assert psnr(made, clip) >= psnr(grainy, clip) + 6


@pytest.mark.parametrize("preset", ["35mm", "16mm"])
def test_block_matching_keeps_more_of_a_photograph_than_windows_alone(preset):
    clip = np.ascontiguousarray(data.coffee()[None, 60:252, 180:372]).astype(np.float32) * np.float32(0.7 / 255) + np.float32(0.15)
    grain = replace(preset_profile(preset), height=0)
    grainy = AddGrain(profile=grain, seed=3)(clip)
    fast, blocks = (psnr(RemoveGrain(method=m, texture=0, adaptive=False, profile=grain)(grainy), clip) for m in ("fast", "bm3d"))
    assert blocks >= fast + 0.2 and blocks >= psnr(grainy, clip) + 4


def test_preservation_keeps_a_share(shaded):
    grainy = run(AddGrain(preset="16mm", fixed_size=True), shaded[:1])
    none, half = (run(RemoveGrain(method="fast", preservation=kept, texture=0), grainy) for kept in (0.0, 0.5))
    assert np.allclose(half, (none + grainy) / 2, atol=1e-5)
    assert RemoveGrain(preservation=1).identity


def test_texture_is_protected():
    rows, columns = np.mgrid[:256, :256]
    flat = np.full((256, 256), 0.5)
    woven = np.where(columns < 128, 0.5 + 0.12 * np.sin(columns * 1.3) * np.sin(rows * 1.7), flat)
    clip = np.repeat(woven[None, ..., None], 3, axis=3).astype(np.float32)
    grainy = run(AddGrain(preset="16mm", fixed_size=True), clip)
    plain, protected = (run(RemoveGrain(method="fast", texture=t, profile=measured(grainy)), grainy) for t in (0.0, 0.8))
    assert np.allclose(plain[:, :, 150:], protected[:, :, 150:], atol=0.02)
    change = [abs(made - grainy)[:, :, 8:120].mean() for made in (plain, protected)]
    assert change[1] < 0.4 * change[0]


def test_stabilising_curve_evens_the_grain():
    values, bent = stabilising_curve(preset_profile("16mm"))
    slope = np.gradient(bent, values)
    inner = (values > 0.15) & (values < 0.85)
    sigma = np.interp(values, (np.arange(LEVELS) + 0.5) / LEVELS, preset_profile("16mm").sigmas)
    assert (slope * sigma)[inner] == pytest.approx(preset_profile("16mm").sigma, rel=0.02)
    assert np.interp(0.5, values, bent) == pytest.approx(0.5)


# --- match


@pytest.mark.parametrize("preset, method", [("35mm", "bm3d"), ("16mm", "fast"), ("high_iso", "fast")])
def test_removed_and_matched_grain_is_the_grain_it_was(preset, method, shaded):
    grainy = run(AddGrain(preset=preset, fixed_size=True, seed=3), shaded)
    before = measured(grainy)
    clean = run(RemoveGrain(texture=0, method=method), grainy)
    after = measured(run(AddGrain(fill_up=True, profile=before), clean))
    seen = slice(4, 12)
    assert np.mean(after.sigmas[seen]) == pytest.approx(np.mean(before.sigmas[seen]), rel=0.025)
    strong = within_20_db(before)
    assert abs(10 * np.log10(radial_spectrum(after.lags) / radial_spectrum(before.lags)))[strong].max() <= 0.5


def test_matched_grain_is_the_same_on_textured_skin():
    portrait = np.ascontiguousarray(data.astronaut()[None, :320, 60:380]).astype(np.float32) * np.float32(0.7 / 255) + np.float32(0.15)
    base = cv2.resize(portrait[0], (640, 640), interpolation=cv2.INTER_CUBIC)[None].repeat(2, axis=0)
    grainy = run(AddGrain(preset="fine", strength=1.5, fixed_size=True, seed=3), base)
    before = measured(grainy)
    after = measured(run(AddGrain(fill_up=True, profile=before), run(RemoveGrain(texture=0, method="fast"), grainy)))
    strong = within_20_db(before)
    assert abs(10 * np.log10(radial_spectrum(after.lags) / radial_spectrum(before.lags)))[strong].max() <= 1
    assert np.mean(after.sigmas) == pytest.approx(np.mean(before.sigmas), rel=0.05)


def test_what_is_there_is_not_added_twice(shaded):
    grainy = run(AddGrain(preset="16mm", fixed_size=True), shaded)
    again = run(AddGrain(fill_up=True, profile=measured(grainy)), grainy)
    assert abs(again - grainy).mean() < 0.15 * abs(grainy - shaded).mean()


def test_a_mouth_gets_the_grain_around_it(shaded):
    grainy = run(AddGrain(preset="16mm", fixed_size=True), shaded)
    mask = np.zeros((1, 320, 512), np.float32)
    mask[:, 96:224, 192:352] = 1
    pasted = np.where(mask[0, ..., None] > 0, shaded, grainy)
    around = measured(pasted, mask=Mask(mask))
    made = run(Masked(operation=AddGrain(fill_up=True, profile=around, where=Mask(mask)), mask=Mask(mask)), pasted)
    inside, outside = mask[0] > 0, mask[0] == 0
    assert np.array_equal(made[:, outside], pasted[:, outside])
    assert (made - shaded)[:, inside].std() == pytest.approx((grainy - shaded)[:, inside].std(), rel=0.08)


def test_missing_subtracts_variances():
    grain = preset_profile("16mm")
    half = replace(grain, sigmas=tuple(s * 0.6 for s in grain.sigmas), sigma=grain.sigma * 0.6, blocks=9)
    assert np.array(missing(grain, half).sigmas) == pytest.approx(0.8 * np.array(grain.sigmas))
    assert missing(grain, GrainProfile()) is grain
    faint = replace(half, kind="none", sigmas=(0.003,) * LEVELS, sigma=0.003)
    assert np.array(missing(grain, faint).sigmas)[8] == pytest.approx(np.sqrt(grain.sigmas[8] ** 2 - 0.003**2))
    assert max(missing(half, replace(grain, blocks=9)).sigmas) == 0
    more = replace(grain, sigmas=tuple(s * 1.2 for s in grain.sigmas), sigma=grain.sigma * 1.2, blocks=100)
    clean = replace(grain, sigmas=(1e-6,) * LEVELS, sigma=1e-6, blocks=9)
    assert np.array(missing(grain, clean, more).sigmas) == pytest.approx(np.sqrt(1 - 0.44) * np.array(grain.sigmas), rel=1e-3)
    assert np.array(missing(grain, clean, replace(more, blocks=0)).sigmas) == pytest.approx(np.array(grain.sigmas), rel=1e-3)


# --- profile


def test_profile_survives_json_and_files(tmp_path, shaded):
    grain = measured(run(AddGrain(preset="16mm", fixed_size=True), shaded))
    assert GrainProfile.loads(grain.dumps()).dumps() == grain.dumps()
    write_grain(tmp_path / "grain.json", grain)
    assert read_grain(tmp_path / "grain.json").dumps() == grain.dumps()
    write_grain(tmp_path / "grain.tbl", grain)
    back = read_grain(tmp_path / "grain.tbl")
    assert np.array(back.sigmas[4:12]) == pytest.approx(np.array(grain.sigmas[4:12]), rel=0.05)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "sand"}', '{"sigmas": [1]}', '{"lags": [[0, 2, 0], [0, 0, 0]]}', '{"colour": 1}',
                                  '{"lags": 5}'])
def test_wrong_profiles_are_refused(text):
    with pytest.raises(GrainError, match="grain"):
        GrainProfile.loads(text)


def test_plot_has_its_size(shaded):
    picture = plot_grain(preset_profile("16mm"), width=640, height=300)
    assert picture.shape == (300, 640, 3) and picture.std() > 0.05


def test_strengths_never_reach_black_nor_white():
    table = strengths(preset_profile("8mm"), 4.0, 4.0)
    luma = np.linspace(0, 1, table.shape[1])
    assert (table <= np.minimum(luma, 1 - luma) / 3 + 1e-6).all() and table.max() > 0.1


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 80), width=st.integers(1, 80), channels=st.sampled_from([1, 3, 4]), seed=st.integers(0, 2**31 - 1))
def test_every_size_gets_grain(height, width, channels, seed):
    clip = np.full((1, height, width, channels), 0.5, np.float32)
    made = AddGrain(preset="16mm", seed=seed)(clip)
    assert made.shape == clip.shape and np.isfinite(made).all() and (made[..., 0] != 0.5).any()
    assert run(RemoveGrain(), made).shape == clip.shape


def test_operations_need_a_survey():
    with pytest.raises(ValueError, match="survey"):
        RemoveGrain()(made_clip())
    with pytest.raises(ValueError, match="survey"):
        AddGrain(fill_up=True)(made_clip())
    assert json.dumps(AddGrain(profile=COARSE).to_json())
    assert LEAST > 0
