"""``talkies grain measure|remove|add|match`` from files to files, on a clip of two small frames."""
from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from talkies.core.operation import run
from talkies.core.restore.grain.add import AddGrain
from talkies.core.restore.grain.files import read_grain
from talkies.core.restore.grain.measure import measure_grain
from talkies.core.restore.grain.table import read_tables
from talkies.headless import cli


def talkies(*arguments):
    return cli.main(["grain", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path, clean_ramp, grainy_ramp):
    np.save(tmp_path / "clean.npy", clean_ramp)
    np.save(tmp_path / "grainy.npy", grainy_ramp)
    return tmp_path


def test_measure_writes_grain_table_plot_and_report(folder, grainy_ramp, capsys):
    arguments = ["--out", folder / "grain.json", "--plot", folder / "grain.png", "--report", folder / "report.json"]
    assert talkies("measure", folder / "grainy.npy", *arguments) == 0
    found = measure_grain([(0, grainy_ramp)])
    assert found.kind in capsys.readouterr().out
    assert read_grain(folder / "grain.json").sigma == pytest.approx(found.sigma, rel=1e-4)
    with Image.open(folder / "grain.png") as picture:
        assert np.asarray(picture).std() > 10
    assert json.loads((folder / "report.json").read_text())["grain"]["kind"] == found.kind
    assert talkies("measure", folder / "grainy.npy", "--out", folder / "grain.tbl") == 0
    (table,) = read_tables((folder / "grain.tbl").read_text())
    assert table.points_y and table.ar_lag == 3


@pytest.mark.parametrize("more", [[], ["--method", "fast"]], ids=["bm3d", "fast"])
def test_remove_takes_most_of_it(folder, clean_ramp, grainy_ramp, more, capsys):
    assert talkies("remove", folder / "grainy.npy", folder / "out.npy", "--texture", 0, *more) == 0
    assert "2 frames" in capsys.readouterr().out
    assert abs(np.load(folder / "out.npy") - clean_ramp).mean() < 0.6 * abs(grainy_ramp - clean_ramp).mean()


def test_add_is_the_operation_of_a_preset_or_a_file(folder, clean_ramp, grainy_ramp):
    assert talkies("add", folder / "clean.npy", folder / "out.npy", "--preset", "8mm", "--seed", 5, "--strength", 0.5) == 0
    assert np.load(folder / "out.npy") == pytest.approx(run(AddGrain(preset="8mm", seed=5, strength=0.5), clean_ramp), abs=2e-6)
    talkies("measure", folder / "grainy.npy", "--out", folder / "grain.tbl")
    assert talkies("add", folder / "clean.npy", folder / "out.npy", "--grain", folder / "grain.tbl") == 0
    assert np.load(folder / "out.npy") == pytest.approx(run(AddGrain(profile=read_grain(folder / "grain.tbl")), clean_ramp), abs=2e-6)


def test_match_puts_the_grain_of_one_clip_on_another(folder, clean_ramp, grainy_ramp):
    assert talkies("match", folder / "clean.npy", folder / "out.npy", "--reference", folder / "grainy.npy") == 0
    got, wanted = ((frames - clean_ramp).std() for frames in (np.load(folder / "out.npy"), grainy_ramp))
    assert got == pytest.approx(wanted, rel=0.1)


def test_match_in_a_mask_measures_around_it_and_leaves_the_rest(folder, clean_ramp, grainy_ramp):
    mask = np.zeros((160, 192), np.uint8)
    mask[48:112, 64:128] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    inside = mask > 0
    pasted = np.where(inside[..., None], clean_ramp, grainy_ramp)
    np.save(folder / "pasted.npy", pasted)
    assert talkies("match", folder / "pasted.npy", folder / "out.npy", "--mask", folder / "mask.png") == 0
    made = np.load(folder / "out.npy")
    assert np.array_equal(made[:, ~inside], pasted[:, ~inside])
    assert (made - clean_ramp)[:, inside].std() == pytest.approx((grainy_ramp - clean_ramp)[:, inside].std(), rel=0.12)


@pytest.mark.parametrize("arguments, said", [
    (["match", "clean.npy", "out.npy"], "nothing to go by"), (["add", "clean.npy", "out.npy", "--strength", "9"], "strength is 9"),
    (["add", "clean.npy", "out.npy", "--grain", "clean.npy"], "this is no text"), (["measure", "none.npy"], "none.npy"),
])
def test_what_is_wrong_is_said(folder, arguments, said, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert talkies(*arguments) == 1
    assert said in " ".join(capsys.readouterr().err.split())
