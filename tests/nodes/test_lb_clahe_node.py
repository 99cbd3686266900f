"""The LB-CLAHE node: surveys its batch, reports what was chosen, keeps RGBA and masks, and lets a cancel through."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from operation_tester import CancelledError, made_clip

from talkies import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from talkies.core.operation import run
from talkies.core.restore.clahe.lbclahe import LBCLAHE
from talkies.host.blocker import Blocked

node = NODE_CLASS_MAPPINGS["TalkiesLBCLAHE"]


def defaults():
    return {key: spec[1].get("default", spec[0][0]) for key, spec in node.INPUT_TYPES()["required"].items()}


def make(**inputs):
    made = node().run(**{**defaults(), **inputs})
    return dict(zip(node.RETURN_NAMES, made["result"] if isinstance(made, dict) else made, strict=True))


def test_it_is_shown_by_its_name():
    assert NODE_DISPLAY_NAME_MAPPINGS["TalkiesLBCLAHE"] == "LB-CLAHE"


@pytest.mark.parametrize("over_time", ["shot", "frame"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("count", [1, 5])
def test_images_are_those_of_the_operation(over_time, channels, count):
    clip = made_clip(count, channels=channels)
    out = make(images=torch.tensor(clip), over_time=over_time)
    assert np.array_equal(out["images"], run(LBCLAHE(over_time=over_time), clip))
    assert out["report"].figures["frames"] == count and "clip limit (times)" in str(out["report"])


def test_the_chain_holds_the_unlearnt_step_so_that_render_video_surveys_its_own_clip():
    out = make(images=torch.tensor(made_clip()))
    assert out["ops"].operations == (LBCLAHE(),) and out["ops"].needs_survey
    assert isinstance(make()["report"], Blocked)


def test_strength_zero_gives_the_same_bits_and_still_a_report():
    clip = torch.tensor(made_clip())
    out = make(images=clip, strength=0.0)
    assert torch.equal(out["images"], clip) and out["report"].figures["shots"] == 1


def test_a_mask_of_nothing_changes_nothing():
    clip = torch.tensor(made_clip())
    assert torch.equal(make(images=clip, mask=torch.zeros(24, 32))["images"], clip)


@pytest.mark.parametrize("share", [0, 6, 7, 12, 13, 18])
def test_progress_rises_and_a_cancel_passes(share, monkeypatch):
    calls = []

    def progress(done, total):
        calls.append((done, total))
        if done >= share:
            raise CancelledError

    monkeypatch.setattr(f"{node.__module__}.node_progress", lambda *_: progress)
    with pytest.raises(CancelledError):
        make(images=torch.tensor(made_clip(6)))
    assert calls == sorted(calls) and {total for _, total in calls} == {18} and all(done < share for done, _ in calls[:-1])


def test_a_cut_in_the_batch_starts_anew():
    bright = made_clip(14, 48, 64)
    dark = np.ascontiguousarray(np.clip(0.25 * made_clip(13, 48, 64, seed=2)[:, ::-1, ::-1], 0, 1))
    out = make(images=torch.tensor(np.concatenate([bright, dark])))
    assert out["report"].figures["shots"] == 2
    for part, alone in ((slice(0, 14), bright), (slice(14, 27), dark)):
        assert np.array_equal(out["images"][part], make(images=torch.tensor(alone))["images"])
