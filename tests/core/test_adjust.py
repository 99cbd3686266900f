"""FrameAdjust: exact tone formulas, a pivot that cuts do not move, and repair that touches only what is broken."""
from __future__ import annotations

import math

import numpy as np
import pytest
from operation_tester import OperationTester, made_clip

from talkies.core.adjust import FrameAdjust
from talkies.core.catalogue import operation_from_json
from talkies.core.operation import Chain, cut, run
from talkies.core.restore.sharpen import Sharpen
from talkies.core.settings import SettingError


class TestFrameAdjust(OperationTester):
    variants = (
        FrameAdjust(gamma=1.4, contrast=1.3, brightness=0.05),
        FrameAdjust(contrast=0.6, pivot="frame", clip_range=False),
        FrameAdjust(contrast=1.5, pivot="middle"),
        FrameAdjust(gamma=0.7, contrast=1.2, replace_nonfinite=True),
    )


def test_neutral_settings_keep_every_bit():
    clip = made_clip()
    neutral = FrameAdjust(clip_range=False)
    assert neutral.identity and not FrameAdjust().identity
    assert np.array_equal(neutral(clip * 3 - 1), clip * 3 - 1)
    assert np.array_equal(FrameAdjust()(clip), clip)
    assert np.array_equal(FrameAdjust(replace_nonfinite=True)(clip), clip)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.2, 10])
def test_gamma_keeps_black_and_white_and_the_sign(gamma):
    clip = np.float32([-0.5, 0, 0.25, 1, 1.5]).reshape(1, 1, 5, 1)
    made = FrameAdjust(gamma=gamma, clip_range=False)(clip)
    expected = np.sign(clip) * np.abs(clip.astype(np.float64)) ** (1 / gamma)
    assert np.allclose(made, expected, rtol=3e-6)
    assert made[0, 0, 1, 0] == 0 and made[0, 0, 3, 0] == 1


def test_contrast_turns_about_its_pivot():
    clip = made_clip()
    for pivot, centre in (("middle", 0.5), ("clip", clip.mean(dtype=np.float64)), ("frame", clip.mean((1, 2, 3), np.float64))):
        made = run(FrameAdjust(contrast=1.7, pivot=pivot, brightness=0.1, clip_range=False), clip)
        centre = np.reshape(centre, (-1, 1, 1, 1))
        assert np.allclose(made, (clip - centre) * 1.7 + centre + 0.1, atol=1e-6), pivot


def test_frame_pivot_keeps_each_mean_and_clip_pivot_the_mean_of_all():
    clip = made_clip() * np.linspace(0.3, 1, 6, dtype=np.float32)[:, None, None, None]
    frame = run(FrameAdjust(contrast=1.5, pivot="frame", clip_range=False), clip)
    whole = run(FrameAdjust(contrast=1.5, pivot="clip", clip_range=False), clip)
    assert np.allclose(frame.mean((1, 2, 3)), clip.mean((1, 2, 3)), atol=1e-6)
    assert whole.mean() == pytest.approx(clip.mean(), abs=1e-6)
    assert not np.allclose(whole.mean((1, 2, 3)), clip.mean((1, 2, 3)), atol=0.01)


def test_clip_range_clips_and_its_absence_does_not():
    clip = made_clip()
    assert FrameAdjust(brightness=0.8)(clip).max() == 1
    assert FrameAdjust(brightness=0.8, clip_range=False)(clip).max() > 1.5
    assert FrameAdjust()(clip * 2 - 0.5).min() == 0


# --- the survey


@pytest.mark.parametrize("size", range(1, 7))
def test_where_the_survey_is_cut_does_not_move_the_mean(size):
    clip = made_clip(6, 33, 47)
    operation = FrameAdjust(gamma=1.3, contrast=1.2)
    learnt = operation.survey(cut(clip, size)).clip_mean
    assert learnt == operation.survey([(0, clip)]).clip_mean
    assert learnt == pytest.approx(np.mean(clip.astype(np.float64) ** (1 / 1.3)), abs=1e-7)


def test_survey_leaves_alpha_out_and_its_input_alone():
    clip = made_clip(channels=4)
    before = clip.copy()
    for gamma in (1.0, 1.5):
        operation = FrameAdjust(contrast=1.2, gamma=gamma)
        assert operation.survey([(0, clip)]).clip_mean == operation.survey([(0, clip[..., :3].copy())]).clip_mean
    assert np.array_equal(clip, before)


def test_unsurveyed_clip_pivot_is_refused():
    with pytest.raises(SettingError, match=r'pivot is "clip".*`survey`'):
        FrameAdjust(contrast=1.2)(made_clip())
    assert FrameAdjust(gamma=1.2)(made_clip()) is not None
    assert not FrameAdjust(contrast=1.2, clip_mean=0.4).needs_survey


def test_survey_in_a_chain_sees_what_arrives_there():
    clip = made_clip()
    chain = Chain((FrameAdjust(brightness=0.2, clip_range=False), FrameAdjust(contrast=1.4, clip_range=False), Sharpen()))
    ready = chain.survey(cut(clip, 2))
    assert ready.operations[1].clip_mean == pytest.approx(clip.mean(dtype=np.float64) + 0.2, abs=1e-6)


@pytest.mark.parametrize("mean", ["0.4", math.nan, True])
def test_clip_mean_must_be_a_number(mean):
    with pytest.raises(SettingError, match=r"clip_mean is .*; it must be a number"):
        operation_from_json({"op": "frameadjust", "contrast": 1.2, "clip_mean": mean})
    assert operation_from_json({"op": "frameadjust", "clip_mean": None}) == FrameAdjust()


# --- repair


REPAIR = FrameAdjust(replace_nonfinite=True, clip_range=False)


def test_bad_values_become_the_median_of_their_neighbours_and_nothing_else_changes():
    clip = made_clip()
    clip[1, 5, 6, 0], clip[1, 5, 7, 0], clip[2, 0, 0, 2] = np.nan, np.inf, -np.inf
    made = REPAIR(clip)
    around = clip[1, 4:7, 5:8, 0]
    assert made[1, 5, 6, 0] == pytest.approx(np.median(around[np.isfinite(around)]))
    corner = np.float32([clip[2, 0, 1, 2], clip[2, 1, 0, 2], clip[2, 1, 1, 2]])
    assert made[2, 0, 0, 2] == np.median(corner)
    good = np.isfinite(clip)
    assert np.array_equal(made[good], clip[good])


def test_larger_holes_are_filled_from_further_away():
    clip = np.full((1, 20, 20, 3), 0.25, np.float32)
    clip[:, :, 10:] = 0.75
    hole = clip.copy()
    hole[0, 9:12, 2:5] = np.nan  # the middle has no finite neighbour in 3x3
    hole[0, 2:9, 12:19] = np.nan  # nor in 5x5
    assert np.array_equal(REPAIR(hole), clip)


def test_a_frame_of_nothing_but_nan_becomes_black_and_a_bad_channel_only_itself():
    clip = made_clip(2)
    clip[0], clip[1, ..., 1] = np.nan, np.inf
    made = REPAIR(clip)
    assert (made[0] == 0).all() and (made[1, ..., 1] == 0).all()
    assert np.array_equal(made[1, ..., ::2], clip[1, ..., ::2])


def test_alpha_is_repaired_but_not_adjusted():
    clip = made_clip(channels=4)
    clip[3, 4, 5, 3] = np.nan
    made = FrameAdjust(gamma=2, replace_nonfinite=True)(clip)
    good = np.isfinite(clip[..., 3])
    assert np.isfinite(made).all() and np.array_equal(made[..., 3][good], clip[..., 3][good])


def test_repair_of_more_places_than_are_gathered_at_once(monkeypatch):
    clip = made_clip(1, 40, 40, 1)
    clip[np.random.default_rng(2).random(clip.shape) < 0.4] = np.nan
    expected = REPAIR(clip)
    monkeypatch.setattr("talkies.core.repair._AT_ONCE", 7)
    assert np.array_equal(REPAIR(clip), expected) and np.isfinite(expected).all()


def test_survey_counts_repaired_values():
    clip = np.full((2, 8, 8, 3), 0.4, np.float32)
    clip[0, 3, 3] = np.nan
    assert FrameAdjust(contrast=1.3, replace_nonfinite=True).survey([(0, clip)]).clip_mean == pytest.approx(0.4, abs=1e-7)
