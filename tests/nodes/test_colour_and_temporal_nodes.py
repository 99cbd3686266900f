"""Color Match and Temporal Consistency as nodes: where colours are measured, the report, and both in one chain."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from talkies import NODE_CLASS_MAPPINGS
from talkies.core.operation import Chain
from talkies.core.operation import run as run_operation
from talkies.host.blocker import Blocked


def run(name, **inputs):
    node = NODE_CLASS_MAPPINGS[name]()
    defaults = {key: spec[1].get("default", spec[0][0]) for key, spec in node.INPUT_TYPES()["required"].items()}
    made = getattr(node, node.FUNCTION)(**{**defaults, **inputs})
    return dict(zip(node.RETURN_NAMES, made["result"] if isinstance(made, dict) else made, strict=True))


@pytest.fixture
def images():
    clip = torch.rand(6, 24, 24, 3, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.3
    clip[:, 8:16, 8:16] *= torch.tensor([0.7, 1.0, 1.2])
    return clip


@pytest.fixture
def mouth():
    mask = torch.zeros(24, 24)
    mask[8:16, 8:16] = 1
    return mask


def test_a_mouth_takes_the_colour_of_the_face_around_it(images, mouth):
    out = run("TalkiesColorMatch", images=images, mask=mouth, reference_mask=1 - mouth)
    figures = out["report"].figures
    assert figures["CIEDE2000 to the reference after"] < 0.3 * figures["CIEDE2000 to the reference before"]
    outside = mouth == 0
    assert torch.equal(out["images"][:, outside], images[:, outside])
    assert len(out["report"].series["CIEDE2000 after"]) == 6


def test_a_reference_of_the_same_frames_is_measured_where_the_images_are(images, mouth):
    original = images.clone()
    generated = images.clone()
    generated[:, 8:16, 8:16] *= 0.6
    out = run("TalkiesColorMatch", images=generated, reference=original, mask=mouth)
    torch.testing.assert_close(out["images"], original, atol=0.02, rtol=0)
    assert out["report"].figures["CIEDE2000 to the reference after"] < 0.5


def test_a_still_of_another_size_is_a_reference_too(images):
    out = run("TalkiesColorMatch", images=images, reference=torch.full((1, 5, 7, 3), 0.25), method="monge_kantorovich")
    np.testing.assert_allclose(out["images"].mean((0, 1, 2)), [0.25] * 3, atol=0.01)
    assert out["report"].figures["frames"] == 6


def test_without_a_reference_the_report_tells_of_the_change(images):
    report = run("TalkiesColorMatch", images=images, method="white_balance")["report"]
    assert "CIEDE2000 to the reference before" not in report.figures and report.figures["CIEDE2000 of the change"] > 0.1
    assert isinstance(run("TalkiesColorMatch")["report"], Blocked)


def test_both_run_in_one_chain_as_they_run_one_after_the_other(images, mouth):
    first = run("TalkiesColorMatch", images=images, mask=mouth, reference_mask=1 - mouth)
    second = run("TalkiesTemporalConsistency", images=first["images"], mask=mouth, ops=first["ops"])
    assert isinstance(second["ops"], Chain) and len(second["ops"].operations) == 2
    np.testing.assert_array_equal(run_operation(second["ops"], images), second["images"].numpy())
