"""What nodes give to their panels: JSON that a page can read, with pictures and sounds that it can fetch."""
from __future__ import annotations

import json
import math

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from talkies import NODE_CLASS_MAPPINGS
from talkies.core.report import Report
from talkies.host.folders import temporary_folder
from talkies.nodes.panel import for_page, with_panel


def panel_of(name, key, **inputs):
    node = NODE_CLASS_MAPPINGS[name]()
    required = node.INPUT_TYPES()["required"]
    values = {k: spec[1].get("default", spec[0][0] if isinstance(spec[0], list) else None) for k, spec in required.items() if len(spec) > 1}
    made = getattr(node, node.FUNCTION)(**{**values, **inputs})
    (panel,) = made["ui"][key]
    json.dumps(panel, allow_nan=False)
    return panel, dict(zip(node.RETURN_NAMES, made["result"], strict=True))


def file_of(saved):
    return temporary_folder() / saved["subfolder"] / saved["filename"]


def test_what_is_not_finite_becomes_null():
    report = Report("x", {"a": math.inf, "b": 2, "c": "word"}, {"s": (1.0, math.nan)})
    made = with_panel((report,), report, talkies_x={"deep": [(-math.inf, 1)]})
    assert made["result"] == (report,)
    assert made["ui"]["talkies_report"][0]["figures"] == {"a": None, "b": 2, "c": "word"}
    assert made["ui"]["talkies_report"][0]["series"] == {"s": [1.0, None]}
    assert made["ui"]["talkies_x"] == [{"deep": [[None, 1]]}] and for_page(True) is True


@pytest.mark.parametrize(("given", "plain"), [(np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True), (np.float32("nan"), None)])
def test_numbers_of_numpy_become_plain_ones(given, plain):
    assert json.loads(json.dumps(for_page({"x": [given]}))) == {"x": [plain]}


@pytest.fixture(scope="module")
def face():
    frames = torch.rand(5, 60, 80, 3, generator=torch.Generator().manual_seed(2))
    # left eye, right eye, nose, corners of the mouth; a px further right in every frame; not found in the fourth
    points = [[[30.0 + t, 20.0], [50.0 + t, 20.0], [40.0 + t, 30.0], [33.0 + t, 40.0], [47.0 + t, 40.0]] for t in range(5)]
    return frames, json.dumps([None if t == 3 else place for t, place in enumerate(points)])


def test_video_align_shows_points_box_and_crop_where_they_are(face):
    panel, made = panel_of("TalkiesVideoAlign", "talkies_align", images=face[0], points=face[1], size=64, min_size=8.0)
    assert panel["size"] == [80, 60] and panel["filled"] == [False, False, False, True, False] and len(panel["confidence"]) == 5
    assert [m["frame"] for m in panel["moments"]] == [0, 1, 2, 3, 4]
    second = panel["moments"][1]
    assert second["points"][0] == [31.0, 20.0] and second["box"] == [31.0, 20.0, 51.0, 40.0]
    # the crop's corners lead to the corners of the square
    matrix = made["track"].matrix(1)
    corners = np.array(second["crop"]) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [63.5, -0.5], [63.5, 63.5], [-0.5, 63.5]], atol=0.6)
    with Image.open(file_of(second["picture"])) as picture:
        assert picture.size == (80, 60)


def test_audio_encode_shows_a_spectrogram_and_plays_the_sound():
    rate, seconds = 16000, 1.5
    tone = torch.from_numpy(0.3 * np.sin(2 * np.pi * 1000 * np.arange(int(rate * seconds)) / rate)).float()[None, None]
    panel, _ = panel_of("TalkiesAudioEncode", "talkies_speech", audio={"waveform": tone, "sample_rate": rate}, mode="mel")
    sound, heard = soundfile.read(file_of(panel["sound"]))
    assert heard == 16000 and len(sound) == 24000 and panel["seconds"] == 1.5 and panel["fps"] == 25.0
    np.testing.assert_allclose(sound, tone[0, 0], atol=1e-4)
    with Image.open(file_of(panel["picture"])) as picture:
        bright = np.asarray(picture.convert("L"))
    assert bright.shape == (80, 121)
    # the tone's line lies where the tick of 1000 Hz is
    line = 1 - (bright[:, 60].argmax() + 0.5) / 80
    assert abs(line - dict(panel["ticks"])[1000]) < 0.02


def test_film_grain_shows_the_strength_that_was_put_in():
    noise = np.random.default_rng(0).normal(0, 8 / 255, (2, 192, 192, 1)).astype(np.float32)
    ramp = np.linspace(0.2, 0.8, 192, dtype=np.float32)[None, None, :, None]
    images = torch.from_numpy(np.clip(np.repeat(ramp + noise, 3, axis=3), 0, 1))
    panel, _ = panel_of("TalkiesFilmGrain", "talkies_grain", images=images, mode="measure")
    middle = panel["strength"]["luma"][len(panel["strength"]["luma"]) // 2]
    assert 6.5 < middle < 9.5 and max(abs(power) for power in panel["spectrum"]) < 4
    with Image.open(file_of(panel["patch"])) as picture:
        assert picture.size == (128, 128) and np.asarray(picture).std() > 20


def test_a_report_is_shown_on_its_node():
    images = torch.rand(3, 24, 24, 3, generator=torch.Generator().manual_seed(1))
    panel, made = panel_of("TalkiesColorMatch", "talkies_report", images=images, reference=images.flip(0))
    assert panel["title"] == "Color Match" and panel["figures"].keys() == made["report"].figures.keys()
