"""LB-CLAHE over time: one shot, one slow mapping; a cut starts anew; nothing depends on how the clip was cut into runs."""
from __future__ import annotations

import json

import numpy as np
import pytest
from skimage import data

from talkies.core.catalogue import operation_from_json
from talkies.core.operation import cut, run
from talkies.core.restore.clahe import shots
from talkies.core.restore.clahe.lbclahe import LBCLAHE
from talkies.core.restore.clahe.report import clahe_report
from talkies.core.settings import SettingError

MODES = ("learned", "rule_based", "fixed")


def small(name, gain=1.0):
    picture = getattr(data, name)().astype(np.float32)[::5, ::5, :3] / 255
    return np.ascontiguousarray(picture[:60, :80] * np.float32(gain))


def still(picture, frames, sigma=0.0, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, (frames, *picture.shape)) if sigma else np.zeros((frames, *picture.shape))
    return np.clip(picture + noise, 0, 1).astype(np.float32)


def surveyed(clip, **settings):
    return LBCLAHE(**settings).survey([(0, clip)])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("frames", [1, 2, 11, 12, 13, 24, 30])
def test_a_static_clip_is_mapped_by_the_same_bits_throughout(mode, frames):
    clip = still(small("astronaut", 0.4), frames)
    ready = surveyed(clip, mode=mode)
    made = ready(clip)
    assert len(ready.shots) == 1 and (made == made[0]).all() and not np.array_equal(made, clip)
    report = clahe_report(ready, clip, made)
    assert report.figures["mapping jitter (255ths)"] == 0 and report.figures["brightness flicker after (255ths)"] == 0


def test_fresh_noise_moves_the_mapping_far_less_than_frame_by_frame():
    clip = still(small("astronaut", 0.4), 40, 0.02)

    def jitter(**settings):
        operation = LBCLAHE(**settings)
        ready = operation.survey([(0, clip)]) if operation.needs_survey else operation
        return clahe_report(ready, clip, ready(clip)).figures["mapping jitter (255ths)"]

    assert 0 < jitter() < 0.08 * jitter(over_time="frame")


def test_a_cut_starts_anew_and_shots_do_not_touch_each_other():
    first, second = still(small("astronaut", 0.3), 20, 0.004), still(small("coffee"), 17, 0.004, 1)
    clip = np.concatenate([first, second])
    ready = surveyed(clip)
    assert [shot.first for shot in ready.shots] == [0, 20]
    made = ready(clip)
    assert np.array_equal(made[:20], run(LBCLAHE(), first)) and np.array_equal(made[20:], run(LBCLAHE(), second))


def test_stills_of_one_batch_are_shots_of_their_own():
    batch = np.stack([small("astronaut"), small("coffee"), small("chelsea"), small("rocket")])
    ready = surveyed(batch)
    assert [shot.first for shot in ready.shots] == [0, 1, 2, 3]


def test_a_flash_and_a_fade_and_noise_are_no_cuts():
    clip = still(small("astronaut"), 36, 0.03)
    clip[10] = np.clip(clip[10] + 0.4, 0, 1)
    clip[20:] *= np.linspace(1, 0.3, 16, dtype=np.float32)[:, None, None, None]
    assert len(surveyed(clip).shots) == 1


@pytest.mark.parametrize("size", [1, 5, 12, 13, 50])
def test_the_survey_does_not_depend_on_where_the_clip_is_cut(size):
    clip = np.concatenate([still(small("astronaut", 0.3), 29, 0.01), still(small("coffee"), 8, 0.01)])
    assert LBCLAHE().survey(cut(clip, size)) == surveyed(clip)


def test_the_mapping_follows_a_change_of_light_slowly_within_a_shot():
    picture = small("astronaut")
    clip = np.concatenate([still(picture, 48), still(picture * np.float32(0.3), 48)])
    ready = surveyed(clip)
    assert len(ready.shots) == 1
    report = clahe_report(ready, clip, ready(clip))
    clips, jitter = report.series["clip limit"], report.series["mapping jitter (255ths)"]
    assert clips[-1] > clips[0] + 0.3 and clips[0] == clips[30] and clips[70] == clips[-1]
    steps = np.abs(np.diff(clips))
    assert steps.max() < 0.15 * abs(clips[-1] - clips[0]) and max(jitter) < 8


def test_between_keyframes_curves_are_interpolated():
    clip = np.concatenate([still(small("astronaut"), 12), still(small("astronaut", 0.4), 13)])
    (shot,) = surveyed(clip).shots
    (a, _, _), (middle, _, _), (b, _, _) = (shot.at(i) for i in (12, 18, 24))
    assert np.allclose(middle, (a + b) / 2, atol=1e-6) and not np.allclose(a, b, atol=1e-3)
    assert all(np.array_equal(x, y) for x, y in zip(shot.at(500)[:2], shot.at(24)[:2], strict=True))


def test_a_long_shot_keeps_a_bounded_number_of_keyframes(monkeypatch):
    monkeypatch.setattr(shots, "MOST", 4)
    clip = still(small("astronaut", 0.4)[:16, :16], 200)
    (shot,) = surveyed(clip, mode="fixed", tiles=2).shots
    assert len(shot.clips) <= 4 and shot.spacing in (48, 96) and shot.spacing * (len(shot.clips) + 1) >= 200
    made = run(LBCLAHE(mode="fixed", tiles=2), clip)
    assert (made == made[0]).all()


def test_what_is_learnt_is_small():
    clip = still(small("astronaut", 0.4), 50, 0.01)
    ready = surveyed(clip, mode="fixed")
    assert len(json.dumps(ready.to_json())) < 6 * 40_000  # six keyframes of 8x8 curves
    assert operation_from_json(json.loads(json.dumps(ready.to_json()))) == ready


@pytest.mark.parametrize("wrong", [[], "shots", [{}], [{"first": 0}], [3]])
def test_wrong_shots_are_refused(wrong):
    with pytest.raises(SettingError, match="shots"):
        operation_from_json({"op": "lbclahe", "shots": wrong})


def test_damaged_curves_are_refused():
    plain = surveyed(still(small("astronaut"), 2)).to_json()
    for name, value in (("curves", "AAAA"), ("clips", []), ("spacing", 0), ("tiles", [3, 3])):
        damaged = {**plain, "shots": [{**plain["shots"][0], name: value}]}
        with pytest.raises(SettingError, match="not the curves of a shot"):
            operation_from_json(damaged)


def test_the_report_tells_what_was_chosen():
    clip = np.concatenate([still(small("astronaut", 0.3), 15), still(small("coffee"), 9)])
    ready = surveyed(clip, mode="fixed", clip_limit=3.0, tiles=4)
    figures = clahe_report(ready, clip, ready(clip)).figures
    assert figures["mode"] == "fixed" and figures["shots"] == 2 and figures["frames"] == 24
    assert figures["clip limit (times)"] == 3.0 and figures["tiles a side"] == 4
    assert figures["brightness after (0..1)"] != figures["brightness before (0..1)"]
    alone = LBCLAHE(over_time="frame")
    report = clahe_report(alone, clip, alone(clip))
    assert report.figures["shots"] == "every frame alone" and len(report.series["clip limit"]) == 24
