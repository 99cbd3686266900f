"""The Film Grain node in each of its modes: what it gives is what the operations give, and the report tells what there is."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from talkies import NODE_CLASS_MAPPINGS
from talkies.core.masked import Mask, Masked
from talkies.core.operation import Chain, run
from talkies.core.restore.grain.add import AddGrain
from talkies.core.restore.grain.measure import measure_grain
from talkies.core.restore.grain.presets import preset_profile
from talkies.core.restore.grain.remove import RemoveGrain
from talkies.core.restore.grain.table import profile_of_table, read_tables, table_of, write_tables
from talkies.host.blocker import Blocked

node = NODE_CLASS_MAPPINGS["TalkiesFilmGrain"]


def make(**inputs):
    defaults = {key: spec[1].get("default", spec[0][0]) for key, spec in node.INPUT_TYPES()["required"].items()}
    return dict(zip(node.RETURN_NAMES, node().run(**{**defaults, **inputs})["result"], strict=True))


@pytest.fixture(scope="module")
def measured(grainy_ramp):
    return measure_grain([(0, grainy_ramp)])


def test_measure_looks_and_changes_nothing(grainy_ramp, measured):
    made = make(mode="measure", images=torch.from_numpy(grainy_ramp))
    assert np.array_equal(made["images"], grainy_ramp) and made["grain"] == measured and made["ops"] == Chain()
    figures = made["report"].figures
    assert any(str(value) == measured.kind for value in figures.values())
    assert made["plot"].shape[0] == 1 and made["plot"].std() > 0.05
    (table,) = read_tables(made["av1_table"])
    middle = slice(5, 11)
    assert np.array(profile_of_table(table).sigmas[middle]) == pytest.approx(np.array(measured.sigmas[middle]), rel=0.05)


def test_measure_looks_only_at_the_black_of_a_mask(clean_ramp, grainy_ramp):
    mask = np.zeros((1, 160, 192), np.float32)
    mask[:, :, 96:] = 1
    half = np.where(mask[0, ..., None] > 0, grainy_ramp, clean_ramp)
    assert make(mode="measure", images=torch.from_numpy(half), mask=torch.from_numpy(mask))["grain"].kind == "none"
    assert make(mode="measure", images=torch.from_numpy(half), mask=torch.from_numpy(1 - mask))["grain"].sigma > 4 / 255


def test_remove_takes_out_what_was_measured(clean_ramp, grainy_ramp, measured):
    made = make(mode="remove", images=torch.from_numpy(grainy_ramp), method="fast", texture=0.0)
    operation = RemoveGrain(method="fast", texture=0.0, profile=measured)
    assert np.array_equal(made["images"], run(operation, grainy_ramp)) and made["ops"].operations == (operation,)
    assert abs(made["images"].numpy() - clean_ramp).mean() < 0.6 * abs(grainy_ramp - clean_ramp).mean()
    assert np.array_equal(make(mode="remove", strength=0.0, images=torch.from_numpy(grainy_ramp))["images"], grainy_ramp)


@pytest.mark.parametrize("preset", ["35mm", "high_iso"])
def test_add_puts_a_preset_on(clean_ramp, preset):
    made = make(mode="add", images=torch.from_numpy(clean_ramp), preset=preset, seed=9)
    assert np.array_equal(made["images"], run(AddGrain(preset=preset, seed=9), clean_ramp)) and made["grain"] == preset_profile(preset)
    first, second = made["images"].numpy() - clean_ramp
    assert not np.array_equal(first, second)


def test_add_takes_grain_by_link_before_the_preset_and_a_table_or_json_as_well(clean_ramp, measured):
    images = torch.from_numpy(clean_ramp)
    linked = make(mode="add", images=images, grain=measured, preset="8mm")["images"]
    assert np.array_equal(linked, run(AddGrain(profile=measured), clean_ramp))
    assert np.array_equal(make(mode="add", images=images, av1_table=measured.dumps())["images"].numpy().round(4), linked.numpy().round(4))
    table = table_of(measured)
    made = make(mode="add", images=images, av1_table=write_tables([table]))
    assert np.array_equal(made["images"], run(AddGrain(profile=profile_of_table(table)), clean_ramp))


def test_match_gives_the_reference_grain(clean_ramp, grainy_ramp, measured):
    made = make(mode="match", images=torch.from_numpy(clean_ramp), reference=torch.from_numpy(grainy_ramp))
    assert made["grain"] == measured
    after = measure_grain([(0, made["images"].numpy())])
    assert np.mean(after.sigmas[5:11]) == pytest.approx(np.mean(measured.sigmas[5:11]), rel=0.1)
    same = make(mode="match", images=torch.from_numpy(grainy_ramp), reference=torch.from_numpy(grainy_ramp))["images"].numpy()
    assert abs(same - grainy_ramp).mean() < 0.2 * abs(grainy_ramp - clean_ramp).mean()


def test_match_without_a_reference_takes_the_grain_around_the_mask(clean_ramp, grainy_ramp):
    mask = np.zeros((1, 160, 192), np.float32)
    mask[:, 48:112, 64:128] = 1
    inside = mask[0] > 0
    pasted = np.where(inside[..., None], clean_ramp, grainy_ramp)
    made = make(mode="match", images=torch.from_numpy(pasted), mask=torch.from_numpy(mask))
    assert np.array_equal(made["images"].numpy()[:, ~inside], pasted[:, ~inside])
    got, wanted = ((frames - clean_ramp)[:, inside].std() for frames in (made["images"].numpy(), grainy_ramp))
    assert got == pytest.approx(wanted, rel=0.12)
    (operation,) = made["ops"].operations
    assert isinstance(operation, Masked) and operation.operation.where == Mask(mask)


def test_without_images_there_is_a_chain_and_no_pictures(measured):
    made = make(mode="remove")
    assert isinstance(made["images"], Blocked) and made["ops"].needs_survey
    assert make(mode="match", grain=measured)["ops"].operations == (AddGrain(fill_up=True, profile=measured),)


@pytest.mark.parametrize("mode, linked, said", [
    ("measure", {}, "nothing to look at"), ("match", {}, "nothing to go by"),
    ("match", {"images": torch.zeros(1, 16, 16, 3)}, "nothing to go by"), ("add", {"av1_table": "filmgrn1\n"}, "no segment"),
    ("add", {"av1_table": "sand"}, "grain"),
])
def test_what_is_missing_or_wrong_is_said(mode, linked, said):
    with pytest.raises(ValueError, match=said):
        make(mode=mode, **linked)
