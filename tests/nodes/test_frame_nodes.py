"""The frame nodes: with images they work now, without they only grow the chain; the boundary's rules hold through every one of them."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from talkies import NODE_CLASS_MAPPINGS
from talkies.core.arrays import ArrayError
from talkies.core.masked import Masked
from talkies.core.operation import Chain
from talkies.core.settings import SettingError
from talkies.host.blocker import Blocked

FRAME_NODES = sorted(name for name, node in NODE_CLASS_MAPPINGS.items()
                     if set(node.INPUT_TYPES().get("optional", {})) >= {"images", "mask", "ops"}
                     and name not in ("TalkiesSuperResolve", "TalkiesPasteBack", "TalkiesDiff2LipGenerate"))
each = pytest.mark.parametrize("name", FRAME_NODES)


QUICK = {"TalkiesDeepImagePrior": {"preset": "fast", "iterations": 20}, "TalkiesBM3D": {"profile": "fast"},
         "TalkiesDeblur": {"profile": "fast", "rounds": 1}, "TalkiesFilmGrain": {"mode": "add"}}
"""What makes slow nodes quick; what is tested here holds for every setting."""


def defaults(name):
    required = NODE_CLASS_MAPPINGS[name].INPUT_TYPES()["required"]
    return {**{key: spec[1].get("default", spec[0][0]) for key, spec in required.items()}, **QUICK.get(name, {})}


def run(name, **inputs):
    node = NODE_CLASS_MAPPINGS[name]()
    made = getattr(node, node.FUNCTION)(**{**defaults(name), **inputs})
    return dict(zip(node.RETURN_NAMES, made["result"] if isinstance(made, dict) else made, strict=True))


@pytest.fixture
def images():
    return torch.rand(3, 16, 20, 3, generator=torch.Generator().manual_seed(0))


def test_there_are_frame_nodes():
    assert "TalkiesSharpen" in FRAME_NODES and "TalkiesFrameAdjust" in FRAME_NODES


@each
def test_images_come_out_as_a_comfyui_image(name, images):
    out = run(name, images=images)["images"]
    assert isinstance(out, torch.Tensor) and out.dtype == torch.float32 and out.shape == images.shape and out.is_contiguous()


@each
def test_without_images_the_chain_grows_and_the_rest_is_blocked(name):
    first = run(name)
    assert isinstance(first["images"], Blocked) and "no images are linked" in first["images"].message
    second = run(name, ops=first["ops"])
    assert isinstance(second["ops"], Chain) and len(second["ops"].operations) == 2 and len(first["ops"].operations) == 1


@each
def test_images_and_ops_do_both(name, images):
    both = run(name, images=images, ops=run(name)["ops"])
    assert len(both["ops"].operations) == 2
    torch.testing.assert_close(both["images"], run(name, images=images)["images"], rtol=0, atol=0)


@each
def test_a_mask_goes_into_the_chain(name, images):
    out = run(name, images=images, mask=torch.zeros(16, 20))
    assert isinstance(out["ops"].operations[0], Masked)
    torch.testing.assert_close(out["images"], images, rtol=0, atol=0)


@each
@pytest.mark.parametrize("form", ["float16", "transposed", "uint8", "rgba", "gray", "requires_grad"])
def test_every_form_the_boundary_takes_goes_through(name, form, images):
    plain = {
        "float16": images.half(),
        "transposed": images.transpose(1, 2).contiguous().transpose(1, 2),
        "uint8": (images * 255).byte(),
        "rgba": torch.cat([images, images[..., :1]], -1),
        "gray": images[..., :1],
        "requires_grad": images.clone().requires_grad_(),
    }[form]
    out = run(name, images=plain)["images"]
    assert out.shape == plain.shape and out.dtype == torch.float32 and torch.isfinite(out).all()
    if form == "rgba":
        torch.testing.assert_close(out[..., 3], plain[..., 3], rtol=0, atol=0)
    if form in ("transposed", "requires_grad"):
        torch.testing.assert_close(out, run(name, images=images)["images"], rtol=0, atol=0)


@each
def test_nan_is_refused_by_frame_and_place(name, images):
    images[1, 2, 3, 0] = float("nan")
    with pytest.raises(ArrayError, match=r"frame 1 holds 1 NaN value, the first at row 2, column 3"):
        run(name, images=images)


@each
def test_a_setting_out_of_range_is_named(name):
    key, spec = next((k, s) for k, s in NODE_CLASS_MAPPINGS[name].INPUT_TYPES()["required"].items() if s[0] == "FLOAT")
    with pytest.raises(SettingError, match=f"{key} is "):
        run(name, **{key: spec[1]["max"] + 1})


def test_frame_adjust_tells_the_statistics_of_what_comes_out(images):
    out = run("TalkiesFrameAdjust", images=images, brightness=0.1)
    np.testing.assert_allclose(out["report"].series["mean"], out["images"].double().mean((1, 2, 3)), rtol=1e-6)
    assert out["plot"].ndim == 4 and out["plot"].shape[-1] == 3 and 0 <= out["plot"].min() <= out["plot"].max() <= 1
    assert isinstance(run("TalkiesFrameAdjust")["report"], Blocked)


def test_frame_adjust_repairs_nan_when_told(images):
    images[1, 2, 3] = float("nan")
    assert torch.isfinite(run("TalkiesFrameAdjust", images=images, replace_nonfinite=True)["images"]).all()


def test_inspect_shows_its_text_on_the_node(images):
    node = NODE_CLASS_MAPPINGS["TalkiesInspectArrays"]()
    made = node.run({"waveform": images, "rate": 5})
    assert made["ui"]["text"] == [made["result"][0]] and "[3, 16, 20, 3]" in made["result"][0]
