"""The Super Resolve node: by name or by wire, with a mask, into the chain."""
from __future__ import annotations

import pytest
import torch
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact

from talkies.core.operation import Chain
from talkies.core.upscale.family import PUBLISHED, ModelError
from talkies.host.blocker import Blocked
from talkies.nodes.super_resolve import SuperResolve


@pytest.fixture
def state():
    torch.manual_seed(0)
    return Compact(num_feat=8, num_conv=1, upscale=2).state_dict()


@pytest.fixture
def models(tmp_path, monkeypatch, state):
    (tmp_path / "upscale_models").mkdir()
    torch.save({"params": state}, tmp_path / "upscale_models" / "mine.pth")
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    return tmp_path / "upscale_models"


@pytest.fixture
def images():
    return torch.rand(2, 24, 32, 3, generator=torch.Generator().manual_seed(0))


def run(**inputs):
    required = {key: spec[1].get("default", spec[0][0]) for key, spec in SuperResolve.INPUT_TYPES()["required"].items()}
    return SuperResolve().run(**{**required, **inputs})


def test_the_models_offered_are_the_published_ones_and_those_in_the_folder(models):
    names, options = SuperResolve.INPUT_TYPES()["required"]["model"]
    assert {"mine.pth", *(p.file for p in PUBLISHED)} == set(names) and options["default"] in names and options["tooltip"]


def test_by_name(models, images):
    out, ops = run(images=images, model="mine.pth")
    assert out.shape == (2, 48, 64, 3) and out.dtype == torch.float32 and isinstance(ops, Chain) and len(ops.operations) == 1


def test_by_wire_it_is_the_same(models, images, state):
    wire = ModelLoader().load_from_state_dict(dict(state)).eval()
    torch.testing.assert_close(run(images=images, upscale_model=wire)[0], run(images=images, model="mine.pth")[0], rtol=0, atol=0)


def test_without_images_the_chain_grows(models):
    out, ops = run(model="mine.pth")
    assert isinstance(out, Blocked) and len(run(model="mine.pth", ops=ops)[1].operations) == 2 and ops.scale == 2


def test_a_mask_confines_it_and_the_size_can_be_kept(models, images):
    mask = torch.zeros(24, 32)
    mask[8:20, 8:20] = 1
    out, ops = run(images=images, model="mine.pth", mask=mask, output="source", feather=0)
    assert torch.equal(out[:, mask == 0], images[:, mask == 0]) and not torch.equal(out, images)
    assert ops.operations[0].region is not None


def test_a_missing_model_is_named_with_its_address(models, images):
    with pytest.raises(ModelError, match=r"RealESRGAN_x2plus\.pth is not in .*upscale_models.* from https://github\.com/.*about 67 MB"):
        run(images=images)


def test_another_object_on_the_wire_is_refused(models, images):
    with pytest.raises(ModelError, match="upscale_model is a dict"):
        run(images=images, upscale_model={"model": 1})
