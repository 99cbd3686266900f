"""What the network is shown, and how its answer is put into the face."""
from __future__ import annotations

import hashlib

import lips_filling
import numpy as np
import pytest
import torch

from talkies.core.arrays import ArrayError
from talkies.core.lipsync.condition import PUBLISHED_SEED, assemble, composite, lower_part, start_noise


@pytest.fixture(scope="module")
def given():
    return lips_filling.inputs(2)


@pytest.fixture(scope="module")
def faces(given):
    return ((given["face"] + 1) / 2).permute(0, 2, 3, 1).contiguous()


@pytest.fixture(scope="module")
def made(given, faces):
    references = ((given["ref"] + 1) / 2).permute(0, 2, 3, 1)
    return assemble(faces, references, given["mel"], given["noise"][:1])


def test_published_noise(shared):
    golden = np.load(shared / "goldens" / "diff2lip" / "torch_seed7_noise.npz")
    state = torch.random.get_rng_state()
    noise = start_noise()
    assert torch.equal(state, torch.random.get_rng_state()) and PUBLISHED_SEED == 7
    np.testing.assert_array_equal(noise.flatten()[:64], golden["first64"])
    np.testing.assert_array_equal(noise.flatten()[::97], golden["strided"])
    digest = hashlib.sha256(bytes(noise.view(torch.uint8).flatten().tolist())).hexdigest()
    assert digest == "cbec65893a564f5a22d4072d9e72b7c63cdac5ad25b69e63ce668f39b5cba65c"
    assert not torch.equal(noise, start_noise(8))


def test_published_mask(given):
    np.testing.assert_array_equal(lower_part()[:, None], given["mask"][:1])
    assert lower_part(0.4)[0, :76].max() == 0 and lower_part(0.4)[0, 76:].min() == 1


def test_condition_of_the_goldens(made, given):
    for name in ("face", "ref", "mel", "mask"):
        torch.testing.assert_close(getattr(made, name), given[name], atol=2e-7, rtol=0)
    torch.testing.assert_close(made.cond, given["cond"], atol=2e-7, rtol=0)
    assert torch.equal(made.start, given["noise"]) and len(made) == 2


def test_hidden_part_is_the_very_noise_of_the_start(made):
    assert torch.equal(made.cond[:, :, 64:], made.start[:, :, 64:]) and torch.equal(made.cond[:, :, :64], made.face[:, :, :64])


def test_one_reference_and_one_mask_serve_all(given, faces):
    one = assemble(faces, faces[:1], given["mel"], given["noise"][:1], lower_part(0.25))
    assert one.ref.shape == one.face.shape and one.mask.shape == (2, 1, 128, 128) and float(one.mask[1].mean()) == 0.25
    second = one.rows(slice(1, 2))
    assert len(second) == 1 and torch.equal(second.cond, one.cond[1:])
    assert torch.equal(one.to(torch.device("cpu")).cond, one.cond)


def test_composite_keeps_the_face_outside_the_mask(made, faces):
    out = composite(torch.full_like(made.face, 3.0), made)
    np.testing.assert_allclose(out[:, :64], faces[:, :64], atol=1e-7)
    assert out.shape == (2, 128, 128, 3) and (out[:, 64:] == 1).all()


@pytest.mark.parametrize(("change", "message"), [
    ({"mel": torch.zeros(2, 16, 80)}, r"mel has shape \[2, 16, 80\]"), ({"mel": torch.zeros(1, 80, 16)}, "1 mel windows for 2 faces"),
    ({"mel": torch.full((2, 80, 16), torch.nan)}, "finite windows"), ({"references": torch.zeros(3, 128, 128, 3)}, "references has 3"),
    ({"references": torch.zeros(1, 64, 64, 3)}, "references has 1 of 64x64"), ({"mask": np.zeros((1, 64, 64), np.float32)}, "mask has 1"),
    ({"faces": torch.zeros(2, 128, 128, 1)}, "RGB crops of 128x128"), ({"faces": torch.zeros(2, 100, 128, 3)}, "RGB crops of 128x128"),
    ({"faces": torch.full((2, 128, 128, 3), torch.nan)}, "NaN"), ({"noise": torch.zeros(3, 3, 128, 128)}, "noise has 3"),
])
def test_refused(given, faces, change, message):
    fine = {"faces": faces, "references": faces, "mel": given["mel"], "noise": given["noise"][:1]}
    with pytest.raises(ArrayError, match=message):
        assemble(**{**fine, **change})


def test_arrays_are_taken_too(given, faces):
    mel = np.full((2, 80, 16), -4.0)
    assert assemble(faces, faces, mel, given["noise"][:1]).mel.dtype == torch.float32
