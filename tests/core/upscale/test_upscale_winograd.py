"""Winograd's convolution, and the Compact and RRDB networks by it: what torch gives, to rounding; equal for any share of the work."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN

from talkies.core.upscale import dense, lean, quick
from talkies.core.upscale.lean import LeanRRDB
from talkies.core.upscale.loader import load_model
from talkies.core.upscale.quick import QuickCompact, has_compact_form
from talkies.core.winograd import convolve, fits, runs, transformed


@given(st.integers(1, 23), st.integers(1, 50), st.sampled_from([1, 3, 16]), st.sampled_from([1, 5, 48]), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_it_is_the_direct_convolution_to_rounding(height, width, into, channels, seed):
    rng = np.random.default_rng(seed)
    picture, bias = rng.normal(size=(height, width, into)), rng.normal(size=channels)
    kernels, slope = rng.normal(size=(channels, into, 3, 3)), rng.random(channels)
    out = np.full((height, width, channels), np.nan, np.float32)
    form = transformed(kernels)
    convolve(picture.astype(np.float32), form, bias.astype(np.float32), slope.astype(np.float32), 0, runs(height, width), out)
    direct = torch.nn.functional.conv2d(torch.tensor(picture).permute(2, 0, 1)[None], torch.tensor(kernels), torch.tensor(bias), padding=1)
    wanted = torch.where(direct > 0, direct, direct * torch.tensor(slope)[:, None, None])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(out, wanted, atol=2e-5 * np.sqrt(9 * into) * 3)


def test_each_run_writes_its_own_tiles():
    rng = np.random.default_rng(0)
    picture, form = rng.normal(size=(30, 41, 4)).astype(np.float32), transformed(rng.normal(size=(8, 4, 3, 3)))
    bias, slope = np.zeros(8, np.float32), np.ones(8, np.float32)
    whole, parts = np.zeros((2, 30, 41, 8), np.float32)
    convolve(picture, form, bias, slope, 0, runs(30, 41), whole)
    assert runs(30, 41) == 3
    for run in (2, 0, 1):
        convolve(picture, form, bias, slope, run, run + 1, parts)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("activation", ["prelu", "relu", "leakyrelu"])
@pytest.mark.parametrize("size", [(1, 1), (5, 64), (37, 50)])
def test_the_network_gives_what_its_layers_give(activation, size):
    torch.manual_seed(1)
    network = Compact(num_feat=16, num_conv=3, upscale=3, act_type=activation).eval()
    x = torch.rand(2, 3, *size)
    with torch.inference_mode():
        torch.testing.assert_close(QuickCompact(network)(x), network(x), atol=2e-6, rtol=0)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_show(threads, monkeypatch):
    network = Compact(num_feat=8, num_conv=2, upscale=2).eval()
    x = torch.rand(1, 3, 70, 90)
    with torch.inference_mode():
        expected = QuickCompact(network)(x)
        monkeypatch.setattr(quick.torch, "get_num_threads", lambda: threads)
        assert torch.equal(QuickCompact(network)(x), expected)


def test_in_another_precision_it_is_the_network_itself():
    network = Compact(num_feat=8, num_conv=1, upscale=2).eval().bfloat16()
    x = torch.rand(1, 3, 9, 9).bfloat16()
    with torch.inference_mode():
        assert torch.equal(QuickCompact(network)(x), network(x))


def test_only_networks_of_its_form_are_taken(small):
    assert has_compact_form(load_model(small / "compact.pth").model) and not has_compact_form(load_model(small / "rrdb.pth").model)
    assert not has_compact_form(Compact(num_feat=256, num_conv=1)) and fits(64, 64) and not fits(256, 256)
    assert not has_compact_form(torch.nn.Conv2d(3, 3, 3))


@pytest.mark.parametrize("size", [(1, 1), (5, 64), (37, 50)])
@pytest.mark.parametrize("filters", [8, 64])
def test_the_trunk_gives_what_its_layers_give(size, filters, monkeypatch):
    torch.manual_seed(2)
    network = ESRGAN(num_filters=filters, num_blocks=2, scale=2).eval()
    taken = []
    block = dense._block
    monkeypatch.setattr(dense, "_block", lambda *given: taken.append(1) or block(*given))
    x = torch.rand(2, 3, *size)
    with torch.inference_mode():
        torch.testing.assert_close(LeanRRDB(network)(x), network(x), atol=2e-6, rtol=0)
    assert len(taken) == 2 * 2 * 3


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_show_in_the_trunk(threads, monkeypatch):
    network = LeanRRDB(ESRGAN(num_filters=16, num_blocks=1, scale=2).eval())
    x = torch.rand(1, 3, 70, 90)
    with torch.inference_mode():
        expected = network(x)
        monkeypatch.setattr(dense.torch, "get_num_threads", lambda: threads)
        assert torch.equal(network(x), expected)


@pytest.mark.parametrize("other", [{"plus": True}, {"act": "relu"}, {"norm": "batch"}])
def test_trunks_of_another_form_go_torchs_way(other, monkeypatch):
    monkeypatch.setattr(lean, "QuickTrunk", None)
    network = ESRGAN(num_filters=8, num_blocks=1, scale=2, **other).eval()
    x = torch.rand(1, 3, 20, 12)
    with torch.inference_mode():
        torch.testing.assert_close(LeanRRDB(network)(x), network(x), atol=2e-6, rtol=0)
