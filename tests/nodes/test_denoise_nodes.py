"""The BM3D and Deblur nodes: what their reports say, what they put into the chain, and the command line beside them."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from talkies.core.masked import Masked
from talkies.core.restore.bm3d import operation as bm3d
from talkies.core.settings import SettingError
from talkies.headless.cli import main
from talkies.host.blocker import Blocked
from talkies.nodes.bm3d import BM3D
from talkies.nodes.deblur import Deblur


def run(node, **inputs):
    required = {key: spec[1].get("default", spec[0][0]) for key, spec in node.INPUT_TYPES()["required"].items()}
    made = node().run(**{**required, **inputs})
    return dict(zip(node.RETURN_NAMES, made["result"] if isinstance(made, dict) else made, strict=True))


@pytest.fixture
def noisy():
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(120), indexing="ij")
    clean = (0.3 + 0.4 * (columns > 60) + 0.0005 * rows)[None, ..., None].repeat(2, 1, 1, 3)
    return clean, clean + torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * (20 / 255)


def test_the_report_measures_and_the_sigma_that_was_set_is_used(noisy):
    clean, images = noisy
    made = run(BM3D, images=images, sigma=10.0, profile="refilter")
    figures = made["report"].figures
    assert figures["sigma used (steps of 255)"] == 10 and figures["sigma from"] == "set"
    assert figures["sigma measured (steps of 255)"] == pytest.approx(20, rel=0.1)
    assert figures["profile requested"] == "refilter" and figures["profile run"] == bm3d.BM3D(profile="refilter").ran()
    assert figures["engine"] == "talkies" and figures["time (s)"] > 0 and figures["frames"] == 2
    asked = run(BM3D, images=images, profile="fast")
    assert asked["report"].figures["sigma used (steps of 255)"] == pytest.approx(20, rel=0.1)
    assert (asked["images"] - clean).std() < 0.3 * (images - clean).std()
    assert abs(asked["report"].figures["whiteness of what was removed (lag-1 autocorrelation)"]) < 0.1


def test_what_goes_into_the_chain_measures_its_own_clip(noisy):
    mask = torch.zeros(96, 120)
    mask[:, :50] = 1
    made = run(BM3D, images=noisy[1], mask=mask, profile="fast")
    (link,) = made["ops"].operations
    assert isinstance(link, Masked) and link.needs_survey
    assert torch.equal(made["images"][:, :, 50:], noisy[1][:, :, 50:]) and not torch.equal(made["images"], noisy[1])


def test_without_images_there_is_no_report(noisy):
    assert isinstance(run(BM3D)["report"], Blocked) and isinstance(run(Deblur)["report"], Blocked)


def test_deblur_takes_its_point_spread_from_an_image_and_shows_it(noisy):
    point = torch.zeros(1, 9, 9, 3)
    point[0, 4, 2:7] = 1
    made = run(Deblur, images=noisy[1][:1], psf="picture", psf_image=point, profile="fast", rounds=1, sigma=20.0)
    assert made["images"].shape == (1, 96, 120, 3) and made["psf"].shape == (1, 1, 5, 3) and made["psf"].min() == 1
    assert made["report"].figures["psf size (px)"] == "5x1" and made["report"].figures["sigma from"] == "set"
    with pytest.raises(SettingError, match="psf_image"):
        run(Deblur, images=noisy[1][:1], psf="picture")


@pytest.mark.parametrize("text", [
    "bm3d:sigma=25,profile=fast,radius=0", "bm3d:profile=fast,noise=correlated", "deblur:rounds=1,profile=fast"])
def test_the_command_line_renders_it(tmp_path, noisy, text):
    picture = np.clip(noisy[1][0].numpy() * 255, 0, 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "in.png")
    assert main(["render", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--op", text]) == 0
    made = np.asarray(Image.open(tmp_path / "out.png")).astype(float)
    assert made.shape == picture.shape and made[:, :50].std() < 0.6 * picture[:, :50].astype(float).std()
