"""Mouth masks: the lips' outline, ellipses and the lower half; size, softness, steadiness."""
from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from talkies.core.face.align import align
from talkies.core.face.detect.scheme import to_5
from talkies.core.face.regions import LipMask, mouth_opening
from talkies.core.face.track import TrackError, track_from_points
from talkies.core.settings import SettingError


def track_of(points, scheme, size=(220, 200)):
    return track_from_points(list(points), scheme, size, Fraction(25))


@pytest.fixture
def talking(sixty_eight):
    """Ten frames, mouth closed for five, then open."""
    points = np.tile(sixty_eight, (10, 1, 1))
    points[:5, 60:] = points[:5, 60:] * (1, 0) + (0, 150)
    points[5:, 60:68, 1] = 150 + (points[5:, 60:68, 1] - 150) * 4
    points[5:, 55:60, 1] += 14
    return track_of(points, "points68")


def polygon_area(points):
    x, y = points.T
    return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


def test_expansion_one_is_the_lips_themselves(sixty_eight):
    mask = LipMask(expansion=1.0, adaptive=0.0).masks(track_of([sixty_eight], "points68"))[0]
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert mask.sum() == pytest.approx(polygon_area(sixty_eight[48:60]), rel=0.1)
    for x, y in sixty_eight[60:68].round().astype(int):
        assert mask[y, x] == 1


def test_expansion_grows_the_area_with_its_square(sixty_eight):
    track = track_of([sixty_eight], "points68")
    one, two = (LipMask(expansion=e, adaptive=0.0).masks(track).sum() for e in (1.0, 2.0))
    assert two == pytest.approx(4 * one, rel=0.1)


def test_an_open_mouth_gets_a_larger_mask(talking):
    assert mouth_opening(talking)[0] < 0.01 < 0.3 < mouth_opening(talking)[9]
    steady = LipMask(adaptive=0.0, steadiness=0.0).masks(talking).sum((1, 2))
    grown = LipMask(adaptive=1.0, steadiness=0.0).masks(talking).sum((1, 2))
    assert grown[0] == pytest.approx(steady[0], rel=0.05) and grown[9] > 1.3 * steady[9]


def test_opening_does_not_depend_on_scale(talking):
    larger = track_of(talking.points * 3, "points68", (660, 600))
    assert np.allclose(mouth_opening(larger), mouth_opening(talking))


def test_hard_edges_are_the_default_and_a_feather_is_a_ramp_about_the_edge(sixty_eight):
    track = track_of([sixty_eight], "points68")
    hard, soft = LipMask().masks(track)[0], LipMask(feather=0.2).masks(track)[0]
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert ((soft > 0) & (soft < 1)).sum() > 300
    assert np.array_equal(soft > 0.5, hard == 1)
    assert soft.sum() == pytest.approx(hard.sum(), rel=0.1)


@pytest.mark.parametrize("scheme", ["points5", "box"])
def test_five_points_give_an_ellipse_over_the_mouth(sixty_eight, scheme):
    five = to_5(sixty_eight, "points68")
    mask = LipMask(expansion=1.0).masks(track_of([five], scheme))[0]
    rows, columns = np.nonzero(mask)
    assert abs(columns.mean() - 100) < 1 and abs(rows.mean() - 150) < 1
    assert 0.9 * 52 < np.ptp(columns) < 1.4 * 52 and 12 < np.ptp(rows) < 30
    outline = LipMask(expansion=1.0).masks(track_of([sixty_eight], "points68"))[0]
    assert (mask * outline).sum() > 0.8 * outline.sum()


def test_the_lower_half_is_a_rectangle_from_the_nose_to_the_chin(sixty_eight):
    mask = LipMask(region="lower_half").masks(track_of([sixty_eight], "points68"))[0]
    rows, columns = np.nonzero(mask)
    assert mask.sum() == pytest.approx((np.ptp(rows) + 1) * (np.ptp(columns) + 1), rel=0.02)
    assert mask[sixty_eight[48:68, 1].round().astype(int), sixty_eight[48:68, 0].round().astype(int)].all()
    assert mask[sixty_eight[8, 1].round().astype(int), 100] == 1 and mask[:int(sixty_eight[36:48, 1].max()) + 2].sum() == 0


def test_it_turns_with_the_head(sixty_eight):
    angle = 0.4
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = (sixty_eight - (100, 110)) @ turn + (100, 110)
    for region in ("lips", "lower_half"):
        straight, tilted = (LipMask(region=region).outlines(track_of([p], "points68"))[0] for p in (sixty_eight, turned))
        assert np.allclose((straight - (100, 110)) @ turn + (100, 110), tilted, atol=0.5)


def test_steadiness_takes_flicker_out_but_the_head_does_not_lag(talking, sixty_eight):
    rng = np.random.default_rng(0)
    run = np.arange(40)[:, None, None] * np.array([2.0, 0])
    points = sixty_eight + run
    points[:, 48:68] += rng.normal(0, 1.5, (40, 1, 2))
    track = track_of(points, "points68", (220, 300))
    centres = {s: LipMask(steadiness=s).outlines(track).mean(1) - run[:, 0] for s in (0.0, 0.1)}
    assert centres[0.1].std(0).max() < 0.6 * centres[0.0].std(0).max()
    assert np.abs(centres[0.1].mean(0) - (100, 150)).max() < 1


def test_where_the_clip_is_cut_does_not_show(talking):
    whole = LipMask().masks(talking)
    assert np.array_equal(np.concatenate((LipMask().masks(talking, 0, 4), LipMask().masks(talking, 4, 10))), whole)


def test_masks_in_the_crop_follow_the_crop(talking):
    track = align(talking, 128)
    masks = LipMask(feather=0.1).masks(track, in_crop=True)
    assert masks.shape == (10, 128, 128)
    rows, columns = np.nonzero(masks[0] > 0.5)
    assert 50 < columns.mean() < 78 and rows.mean() > 60
    with pytest.raises(TrackError):
        LipMask().masks(talking, 4, 12)


def test_a_mouth_outside_the_frame_gives_an_empty_mask(sixty_eight):
    for feather in (0.0, 0.2):
        assert LipMask(feather=feather).masks(track_of([sixty_eight + 5000], "points68")).sum() == 0


def test_settings_are_checked():
    with pytest.raises(SettingError, match="expansion"):
        LipMask(expansion=9.0)
    with pytest.raises(SettingError, match="region"):
        LipMask(region="nose")
