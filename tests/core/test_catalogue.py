"""The catalogue: every operation by name, and errors that say what there is."""
from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from operation_tester import made_clip

from talkies.core.adjust import FrameAdjust
from talkies.core.catalogue import OPERATIONS, operation_from_json, operation_named, parse_operation
from talkies.core.masked import Mask, Masked
from talkies.core.operation import Chain, run
from talkies.core.restore.sharpen import Sharpen
from talkies.core.settings import SettingError, settings_of


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_name_is_its_class_and_every_default_survives(name):
    cls = OPERATIONS[name]
    assert cls.name() == name
    assert operation_named(name) == parse_operation(name) == operation_from_json({"op": name}) == cls()
    text = name + ":" + ",".join(f"{s.name}={s.default}" for s in settings_of(cls))
    assert parse_operation(text) == cls()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_field_is_in_the_json(name):
    operation = OPERATIONS[name]()
    known = {"op", *(f.name for f in fields(operation) if f.compare and getattr(operation, f.name) is not None)}
    assert set(operation.to_json()) == known


def test_text_is_read_by_kind():
    expected = Sharpen(strength=0.4, mode="unsharp", luma_only=False)
    assert parse_operation("sharpen: strength = 0.4, mode=unsharp, luma_only=no ,") == expected
    assert parse_operation("frameadjust:replace_nonfinite=on") == FrameAdjust(replace_nonfinite=True)


@pytest.mark.parametrize("text, message", [
    ("sharpn", "there is no operation 'sharpn'; there are .*frameadjust, .*sharpen"),
    ("", "there is no operation ''"),
    ("sharpen:strength=1.5", r"Sharpen: strength is 1\.5; it must be a number between 0 and 1"),
    ("sharpen:strength=much", "Sharpen: strength is 'much'; it must be a number between 0 and 1"),
    ("sharpen:strength=nan", "Sharpen: strength is nan; it must be a number"),
    ("sharpen:sigma=0", r"Sharpen: sigma is 0\.0; it must be a number between 0\.3 and 8 \(px\)"),
    ("sharpen:mode=best", "Sharpen: mode is 'best'; it must be one of detail, unsharp, kernel, adaptive"),
    ("sharpen:luma_only=perhaps", "Sharpen: luma_only is 'perhaps'; it must be true or false"),
    ("sharpen:power=1", "Sharpen has no setting 'power'; it has strength, mode"),
    ("sharpen:0.4", r"'0\.4' is not of the form setting=value; write e\.g\. sharpen:strength=0\.3"),
    ("sharpen:strength=0.4,strength=0.5", "strength is set twice"),
    ("frameadjust:clip_mean=0.5", "FrameAdjust has no setting 'clip_mean'"),
])
def test_wrong_text_is_refused_by_name(text, message):
    with pytest.raises(SettingError, match=message):
        parse_operation(text)


def test_chain_and_mask_survive_json():
    clip = made_clip()
    mask = np.zeros((1, *clip.shape[1:3]), np.float32)
    mask[:, 4:12, 5:20] = 0.6
    chain = Chain((Masked(operation=Sharpen(strength=0.7), mask=Mask(mask)), FrameAdjust(contrast=1.3), Chain((Sharpen(mode="kernel"),))))
    back = operation_from_json(json.loads(json.dumps(chain.to_json())))
    assert back == chain and hash(back) == hash(chain)
    assert np.array_equal(run(back, clip), run(chain, clip))
    surveyed = chain.survey([(0, clip)])
    again = operation_from_json(json.loads(json.dumps(surveyed.to_json())))
    assert again == surveyed and again != chain
    assert np.array_equal(again(clip[2:3], 2), surveyed(clip[2:3], 2))


@pytest.mark.parametrize("plain, message", [
    ("sharpen", "'sharpen' is no operation"),
    ({"strength": 0.3}, "is no operation; wanted is an object with \"op\""),
    ({"op": 3}, "is no operation"),
    ({"op": "sharpn"}, "there is no operation 'sharpn'"),
    ({"op": "sharpen", "strength": "0.3"}, r"Sharpen: strength is '0\.3'; it must be a number"),
    ({"op": "sharpen", "clip_mean": 0.3}, "Sharpen has no setting 'clip_mean'"),
    ({"op": "chain"}, "chain: has nothing; wanted is operations"),
    ({"op": "chain", "operations": {}}, "chain: operations must be a list"),
    ({"op": "chain", "operations": [{"op": "sharpen", "sigma": 99}]}, "Sharpen: sigma is 99"),
    ({"op": "masked", "operation": {"op": "sharpen"}}, "masked: has operation; wanted is operation and mask"),
    ({"op": "masked", "operation": {"op": "sharpen"}, "mask": []}, "masked: mask must be an object"),
    ({"op": "masked", "operation": {"op": "sharpen"}, "mask": {"shape": [1], "zlib": "?"}}, "mask: not a packed mask"),
])
def test_wrong_json_is_refused_by_name(plain, message):
    with pytest.raises(SettingError, match=message):
        operation_from_json(plain)
