"""The Compare node and the page that `talkies compare` writes."""
from __future__ import annotations

import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from talkies.core.arrays import to_image
from talkies.headless.cli import main
from talkies.host.folders import temporary_folder
from talkies.nodes.compare import Compare


@pytest.fixture()
def clips():
    before = np.random.default_rng(5).random((6, 24, 32, 3), np.float32)
    return before, np.clip(before * 0.9, 0, 1)


def test_the_panel_can_fetch_its_pictures_and_the_outputs_are_images(clips):
    found = Compare().run(4, 256, before=to_image(clips[0]), after=to_image(clips[1]))
    report, plot, difference = found["result"]
    (panel,) = found["ui"]["talkies_compare"]
    json.dumps(panel)
    assert [m["frame"] for m in panel["moments"]] == [0, 2, 4]
    for side in ("before", "after", "difference"):
        saved = panel["moments"][1][side]
        path = temporary_folder() / saved["subfolder"] / saved["filename"]
        with Image.open(path) as picture:
            assert picture.size == (32, 24)
        path.unlink()
    assert len(panel["report"]["series"]["PSNR (dB)"]) == 6 == report.figures["frames compared"]
    assert plot.shape[0] == 1 and tuple(difference.shape) == (1, 24, 32, 3)


def test_an_unlinked_side_is_named(clips):
    with pytest.raises(ValueError, match=r"Compare \(after\): neither images nor video"):
        Compare().run(4, 256, before=to_image(clips[0]))


def test_the_page_needs_nothing_beside_it(clips, tmp_path, capsys):
    for name, clip in zip("ab", clips, strict=True):
        np.save(tmp_path / f"{name}.npy", clip)
    out = tmp_path / "report.html"
    assert main(["compare", str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), "-o", str(out), "--moments", "3"]) == 0
    assert "PSNR (dB)" in capsys.readouterr().out
    page = out.read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href|from)\s*=?\s*"([^"]+)"', page)
    assert addresses and all(a.startswith("data:") for a in addresses), addresses
    shown = json.loads(re.search(r'id="comparison">(.*?)</script>', page, re.DOTALL)[1])
    assert len(shown["moments"]) == 2 or len(shown["moments"]) == 3
    import base64

    Image.open(BytesIO(base64.b64decode(shown["moments"][0]["after"].split(",")[1]))).verify()


def test_figures_alone_as_json_and_no_other_ending(clips, tmp_path, capsys):
    np.save(tmp_path / "a.npy", clips[0])
    one = str(tmp_path / "a.npy")
    assert main(["compare", one, one, "-o", str(tmp_path / "r.json")]) == 0
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["figures"]["frames equal bit for bit"] == 6
    assert main(["compare", one, one, "-o", str(tmp_path / "r.pdf")]) == 1
    assert ".html" in capsys.readouterr().err
