"""ColorMatch: each method reaches what it promises, nothing flickers, and the figures are the published ones."""
from __future__ import annotations

import json

import numpy as np
import pytest
from operation_tester import OperationTester, made_clip
from skimage import color, data
from skimage.exposure import match_histograms

from talkies.core.arrays import ArrayError
from talkies.core.catalogue import operation_from_json
from talkies.core.masked import Mask, Masked
from talkies.core.measure.colour import ciede2000, drift, mean_difference, mean_labs, series
from talkies.core.operation import run
from talkies.core.settings import SettingError
from talkies.core.video.colour import ColorMatch
from talkies.core.video.colour_axes import SPACES, from_lab, to_lab
from talkies.core.video.colour_methods import measured

METHODS = ("lab", "reinhard", "histogram", "monge_kantorovich", "white_balance")


def picture(name: str, size: int = 96) -> np.ndarray:
    whole = getattr(data, name)().astype(np.float32) / 255
    return whole[:: whole.shape[0] // size, :: whole.shape[1] // size][:size, :size].copy()


@pytest.fixture(scope="module")
def face():
    return picture("astronaut")


@pytest.fixture(scope="module")
def coffee():
    return picture("coffee")


REFERENCE = made_clip(6, 12, 10, seed=9)[..., ::-1] * 0.6


class TestColorMatch(OperationTester):
    variants = (
        *(ColorMatch(method=method).with_reference(REFERENCE) for method in METHODS),
        ColorMatch(over="clip", strength=0.5, keep_brightness=True, method="white_balance"),
        ColorMatch(over="frame", method="histogram").with_reference(REFERENCE[:2]),
        ColorMatch(measure=Mask(np.float32([[0, 1, 0]])), reference_mask=Mask(np.float32([[1, 0.5, 0]])), steadiness=2),
    )


# --- the spaces


def test_cielab_is_scikit_images_and_comes_back():
    colours = np.random.default_rng(0).random((2000, 3)).astype(np.float32)
    assert np.abs(to_lab(colours) - color.rgb2lab(colours)).max() < 5e-3
    assert np.abs(from_lab(to_lab(colours)) - colours).max() < 2e-5


@pytest.mark.parametrize("name", SPACES)
def test_every_space_comes_back(name):
    colours = np.random.default_rng(1).uniform(0.05, 1, (500, 3)).astype(np.float32)
    before = colours.copy()
    assert np.abs(SPACES[name].back(SPACES[name].there(colours)) - colours).max() < 2e-3
    assert np.array_equal(colours, before)


def test_gray_has_no_opponent_colour():
    gray = np.repeat(np.linspace(0.1, 1, 10, dtype=np.float32)[:, None], 3, axis=1)
    assert np.abs(to_lab(gray)[:, 1:]).max() < 0.02
    assert np.abs(SPACES["l-alpha-beta"].there(gray)[:, 1:]).max() < 0.02


# --- each method


@pytest.mark.parametrize("method", ["lab", "reinhard", "histogram", "monge_kantorovich"])
def test_the_result_measures_what_the_reference_measures(method, face, coffee):
    dull = coffee * 0.4 + 0.3  # within range, so that nothing is clipped
    made = run(ColorMatch(method=method, over="frame").with_reference(dull), face)[0]
    got, want = (measured(method, c.reshape(-1, 3)) for c in (made, dull))
    before = measured(method, face.reshape(-1, 3))
    assert np.abs(got - want).mean() < 0.02 * np.abs(before - want).mean()


def test_histogram_is_scikit_images(face, coffee):
    made = run(ColorMatch(method="histogram", over="frame").with_reference(coffee), face)[0]
    expected = match_histograms(face, coffee, channel_axis=-1)
    apart = np.abs(made - expected)[face > 0]  # black is a tenth of the picture: theirs goes to the top of its tenth, ours to the middle
    assert apart.mean() < 0.7 / 255 and np.quantile(apart, 0.99) < 3 / 255


def test_monge_kantorovich_is_the_symmetric_map_between_the_covariances(face, coffee):
    from talkies.core.video.colour_methods import _transport

    a, b = (np.cov(c.reshape(-1, 3).T.astype(np.float64), bias=True) for c in (face, coffee))
    matrix = _transport(a, b)
    assert np.allclose(matrix, matrix.T) and np.linalg.eigvalsh(matrix).min() > 0
    assert np.allclose(matrix @ a @ matrix.T, b, atol=1e-5)


def test_mean_and_deviation_in_lab_by_hand(face, coffee):
    made = run(ColorMatch(over="frame").with_reference(coffee), face)[0]
    own, other = color.rgb2lab(face).reshape(-1, 3), color.rgb2lab(coffee).reshape(-1, 3)
    expected = color.lab2rgb(((own - own.mean(0)) / own.std(0) * other.std(0) + other.mean(0)).reshape(face.shape))
    inside = ((expected > 0.01) & (expected < 0.99)).all(-1)
    assert inside.mean() > 0.3 and np.abs(made - expected)[inside].max() < 5e-3


def test_white_balance_takes_the_cast_and_keeps_the_brightness(face):
    cast = SPACES["linear"].back(SPACES["linear"].there(face) * np.float32([0.8, 0.7, 0.45]))
    made = run(ColorMatch(method="white_balance", over="frame"), cast)[0]
    light = SPACES["linear"].there(made).reshape(-1, 3).mean(0)
    assert light.max() / light.min() < 1.02
    luma = np.float32([0.2126, 0.7152, 0.0722])
    assert (light @ luma) == pytest.approx(SPACES["linear"].there(cast).reshape(-1, 3).mean(0) @ luma, rel=0.01)
    warm = run(ColorMatch(method="white_balance", over="frame").with_reference(face), cast)[0]
    hues = [mean_labs(frame[None])[0, 1:] for frame in (warm, cast, face)]
    assert np.abs(hues[0] - hues[2]).max() < 0.25 * np.abs(hues[1] - hues[2]).max()


@pytest.mark.parametrize("method", METHODS)
def test_a_reference_like_the_frame_changes_nothing(method, face):
    made = run(ColorMatch(method=method).with_reference(face), face)[0]
    assert np.abs(made - face).max() < (0.02 if method == "histogram" else 5e-3)


@pytest.mark.parametrize("method", METHODS)
def test_flat_frames_take_the_references_colour_and_stay_flat(method):
    flat, other = np.full((8, 8, 3), 0.4, np.float32), np.full((8, 8, 3), (0.5, 0.3, 0.2), np.float32)
    made = run(ColorMatch(method=method).with_reference(other), flat)[0]
    assert np.ptp(made, axis=(0, 1)).max() < 1e-4
    if method != "white_balance":
        assert np.abs(made - other).max() < 2e-3


@pytest.mark.parametrize("method", METHODS)
def test_strength_zero_is_identity_and_half_is_half_way(method, face, coffee):
    full, half = (run(ColorMatch(method=method, strength=s).with_reference(coffee), face) for s in (1.0, 0.5))
    assert np.allclose(half, (full + face) / 2, atol=1e-6)
    assert np.array_equal(ColorMatch(method=method, strength=0)(face * 3 - 1), (face * 3 - 1)[None])


def test_brightness_can_be_kept(face, coffee):
    luma = np.float32([0.299, 0.587, 0.114])
    dull = face * 0.4 + 0.3
    made = run(ColorMatch(method="lab", keep_brightness=True).with_reference(coffee * 0.3 + 0.3), dull)[0]
    assert np.abs(made @ luma - dull @ luma).max() < 2e-3 and np.abs(made - dull).max() > 0.02


# --- regions and time


def test_a_region_takes_the_colours_of_another_region_of_the_same_frame(face):
    clip = np.repeat(face[None], 4, axis=0)
    mouth = np.zeros(face.shape[:2], np.float32)
    mouth[60:80, 30:60] = 1
    wrong = clip.copy()
    wrong[:, 60:80, 30:60] = (wrong[:, 60:80, 30:60] * np.float32([0.7, 1.0, 1.2])).clip(0, 1)
    around = np.zeros_like(mouth)
    around[40:60, 30:60] = 1
    operation = ColorMatch(measure=Mask(mouth), reference_mask=Mask(around))
    made = run(Masked(operation=operation, mask=Mask(mouth)), wrong)
    assert np.array_equal(made[:, mouth == 0], wrong[:, mouth == 0])
    goal = mean_labs(wrong, Mask(around))
    assert mean_difference(mean_labs(made, Mask(mouth)), goal) < 0.2 * mean_difference(mean_labs(wrong, Mask(mouth)), goal)


def test_track_does_not_flicker_where_frame_does(face):
    """A mouth that opens darkens its region; only a match of each frame alone follows it."""
    rng = np.random.default_rng(3)
    clip = np.repeat(face[None], 30, axis=0)
    for frame in clip:
        frame[60:80, 30 : 30 + rng.integers(1, 30)] = 0.05
    still = np.repeat(face[None], 30, axis=0) * np.float32([0.9, 0.8, 0.7])
    outside = Mask((np.arange(96)[:, None] < 55).astype(np.float32) * np.ones((1, 96), np.float32))

    def flicker(over):
        made = run(ColorMatch(over=over).with_reference(still), clip)
        return drift(mean_labs(made, outside))

    assert flicker("clip") < 1e-3 < flicker("track") < 0.12 * flicker("frame")


def test_a_slow_drift_is_followed(face):
    gains = np.linspace(0.6, 1.0, 60, dtype=np.float32)
    clip = face[None, ::2, ::2] * gains[:, None, None, None]
    made = run(ColorMatch(steadiness=4).with_reference(face[::2, ::2]), clip)
    goal = np.repeat(mean_labs(face[None, ::2, ::2]), 60, axis=0)
    assert ciede2000(mean_labs(made), goal)[8:-8].max() < 0.15 * mean_difference(mean_labs(clip), goal)


def test_without_a_reference_drift_is_evened_out(face):
    gains = np.linspace(0.6, 1.0, 20, dtype=np.float32)
    clip = face[None, ::2, ::2] * gains[:, None, None, None]
    made = run(ColorMatch(steadiness=2), clip)
    assert np.ptp(mean_labs(made)[:, 0]) < 0.25 * np.ptp(mean_labs(clip)[:, 0])


def test_frames_without_the_region_take_their_neighbours_figures(face):
    clip = np.repeat(face[None], 5, axis=0)
    masks = np.ones((5, 96, 96), np.float32)
    masks[2] = 0
    operation = ColorMatch(measure=Mask(masks), over="frame").with_reference(face * 0.5)
    made = run(operation, clip)
    assert np.isfinite(made).all() and np.array_equal(made[2], made[1])
    with pytest.raises(SettingError, match="empty in every frame"):
        run(ColorMatch(measure=Mask(masks[2:3])), clip)


def test_it_says_what_it_was_not_surveyed_on(face):
    with pytest.raises(SettingError, match="not known yet"):
        ColorMatch()(face)
    ready = ColorMatch().survey([(0, face[None])])
    with pytest.raises(ArrayError, match="frame 3 is asked for, but the clip it was surveyed on has 1"):
        ready(face, 3)


def test_json_of_a_broken_table_is_refused():
    plain = json.loads(json.dumps(ColorMatch().with_reference(REFERENCE).to_json()))
    plain["reference"]["zlib"] = "?"
    with pytest.raises(SettingError, match="not a packed table"):
        operation_from_json(plain)


# --- the figure


def test_ciede2000_on_published_pairs():
    """Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", 2005, table 1, rows 1, 7, 17 and 25."""
    first = np.array([[50, 2.6772, -79.7751], [50, 0, 0], [50, 2.5, 0], [60.2574, -34.0099, 36.2677]])
    second = np.array([[50, 0, -82.7485], [50, -1, 2], [73, 25, -18], [60.4626, -34.1751, 39.4387]])
    assert np.allclose(ciede2000(first, second), [2.0425, 2.3669, 27.1492, 1.2644], atol=1e-4)


def test_empty_frames_do_not_count():
    labs = np.array([[50.0, 0, 0], [np.nan] * 3, [52, 0, 0]])
    other = np.full((3, 3), (50.0, 0, 0))
    assert mean_difference(labs, other) == pytest.approx(ciede2000(labs[2], other[2]) / 2)
    assert series(labs, other)[1] == 0 and np.isnan(drift(labs)) and drift(labs[:1]) == 0
