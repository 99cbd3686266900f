"""The Deep Image Prior node: images, ops, report and plot, inside inference mode as ComfyUI runs it."""
from __future__ import annotations

import json
import types

import numpy as np
import torch
from operation_tester import made_clip

from talkies.core.masked import Masked
from talkies.core.operation import run
from talkies.core.restore.prior import fit as fitting
from talkies.core.restore.prior.deep_image_prior import DeepImagePrior as Operation
from talkies.core.settings import settings_of
from talkies.host.page import server
from talkies.nodes.deep_image_prior import DeepImagePrior


def settings(**chosen):
    declared = {s.name: s.default for s in settings_of(Operation)}
    return {**declared, "iterations": 20, "preset": "fast", **chosen}


def test_it_restores_reports_and_adds_its_step():
    clip = made_clip(2, 16, 16)
    with torch.inference_mode():
        images, ops, report, plot = DeepImagePrior().run(torch.tensor(clip), **settings())["result"]
    assert images.shape == clip.shape and plot.shape == (1, 560, 1024, 3) and plot.std() > 0.01
    assert report.figures["frames"] == 2 and report.figures["precision"] == "float32"
    assert np.array_equal(run(ops, clip), images.numpy())


def test_a_mask_is_what_to_fill_for_inpaint_and_where_to_work_for_denoise():
    clip, mask = made_clip(1, 16, 16), torch.zeros(1, 16, 16)
    mask[:, 4:8, 4:8] = 1
    kept = mask[0].numpy() == 0
    for task in ("inpaint", "denoise"):
        images, ops, _, _ = DeepImagePrior().run(torch.tensor(clip), mask, **settings(task=task))["result"]
        assert np.array_equal(images[0].numpy()[kept], clip[0][kept]) and not np.array_equal(images.numpy(), clip)
        assert isinstance(ops.operations[0], Masked) == (task == "denoise")


def test_an_empty_mask_leaves_nothing_to_fit_and_says_so():
    made = DeepImagePrior().run(torch.tensor(made_clip(1, 16, 16)), torch.zeros(1, 64, 64), **settings(task="inpaint"))
    images, _, report, plot = made["result"]
    assert np.array_equal(images.numpy(), made_clip(1, 16, 16)) and "nothing was to be filled" in str(report) and plot.shape[3] == 3


def test_the_panel_gets_the_curves_while_it_runs(monkeypatch):
    sent = []
    server = types.SimpleNamespace(client_id="page", send_sync=lambda *message: sent.append(message))
    monkeypatch.setattr("talkies.host.page.server", lambda: server)
    monkeypatch.setattr(fitting, "PREVIEW_PERIOD", 0.0)
    DeepImagePrior().run(torch.tensor(made_clip(1, 16, 16)), node_id="4:7", **settings(network="hourglass"))
    assert len(sent) == 20 and {(event, client) for event, _, client in sent} == {("talkies.running", "page")}
    json.dumps(sent, allow_nan=False)
    told = [message["output"]["talkies_report"][0] for _, message, _ in sent if message["node"] == "4:7"]
    assert [one["figures"]["iterations"] for one in told] == list(range(1, 21))
    assert [len(one["series"]["training loss"]) for one in told] == [0] * 9 + [1] * 10 + [2]


def test_without_a_page_or_an_id_nothing_is_sent_and_nothing_fails(monkeypatch):
    assert server() is None
    monkeypatch.setattr(fitting, "PREVIEW_PERIOD", 0.0)
    DeepImagePrior().run(torch.tensor(made_clip(1, 16, 16)), node_id="4", **settings(iterations=2))
    monkeypatch.setattr("talkies.host.page.server", lambda: types.SimpleNamespace())  # it would fail if anything were sent
    DeepImagePrior().run(torch.tensor(made_clip(1, 16, 16)), **settings(iterations=2))


def test_without_images_it_only_adds_its_step():
    images, ops, _, _ = DeepImagePrior().run(**settings(task="super_resolve_2x"))
    assert ops.scale == 2 and "no images are linked" in str(getattr(images, "message", images))
