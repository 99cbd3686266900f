"""Models: the goldens, every wrapper of the tensors, the denoise blend, and files that are wrong."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from upscale_making import resolve

from talkies.core.upscale.denoise_blend import blend
from talkies.core.upscale.engine import TorchEngine
from talkies.core.upscale.family import PUBLISHED, ModelError, find_model, published
from talkies.core.upscale.loader import load_model

GOLDENS = ("RealESRGAN_x2plus", "RealESRGAN_x4plus", "realesr-general-x4v3", "realesr-animevideov3")


@pytest.mark.parametrize("name", GOLDENS)
def test_the_golden_is_met_to_1e_4(name, published, goldens):
    made = resolve(published, model=name)(goldens["input"].transpose(0, 2, 3, 1))[0]
    np.testing.assert_allclose(made.transpose(2, 0, 1), np.clip(goldens[name], 0, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["RealESRGAN_x2plus", "realesr-general-x4v3", "realesr-animevideov3"])
def test_bfloat16_stays_within_the_error_it_states(name, published, goldens):
    x = goldens["input"].transpose(0, 2, 3, 1)
    error = np.abs(resolve(published, model=name, precision="bfloat16")(x) - resolve(published, model=name)(x))
    assert 0 < error.mean() <= 0.01 and error.max() <= 0.07


@pytest.mark.parametrize("wrapper", ["params_ema", "params", None, "safetensors"])
def test_tensors_are_found_under_every_wrapper(wrapper, small, tmp_path, picture):
    state = torch.load(small / "compact.pth")["params"]
    if wrapper == "safetensors":
        from safetensors.torch import save_file

        save_file(state, str(tmp_path / "m.safetensors"))
    else:
        torch.save({wrapper: state} if wrapper else state, tmp_path / "m.pth")
    np.testing.assert_array_equal(resolve(tmp_path, model="m")(picture), resolve(small, model="compact.pth")(picture))


def test_params_ema_is_preferred_to_params(small, tmp_path, picture):
    state = torch.load(small / "compact.pth")["params"]
    torch.save({"params": {k: v * 0 for k, v in state.items()}, "params_ema": state}, tmp_path / "both.pth")
    np.testing.assert_array_equal(resolve(tmp_path, model="both")(picture), resolve(small, model="compact")(picture))


# --- the denoise setting ---------------------------------------------------------------------------------------------------


def test_denoise_1_is_the_model_and_0_its_partner(small, picture):
    strong, weak = (resolve(small, model=f"tiny-general-{kind}x4v3")(picture) for kind in ("", "wdn-"))
    np.testing.assert_array_equal(resolve(small, model="tiny-general-x4v3", denoise=1)(picture), strong)
    np.testing.assert_array_equal(resolve(small, model="tiny-general-x4v3", denoise=0)(picture), weak)


def test_denoise_between_is_the_weights_interpolated(small):
    loaded = load_model(small / "tiny-general-x4v3.pth", 0.25).model.state_dict()
    strong, weak = (torch.load(small / f"tiny-general-{kind}x4v3.pth")["params"] for kind in ("", "wdn-"))
    for key, tensor in loaded.items():
        torch.testing.assert_close(tensor, 0.25 * strong[key] + 0.75 * weak[key])


def test_denoise_on_another_model_is_refused(small, picture):
    with pytest.raises(ModelError, match=r"for realesr-general-x4v3 alone; compact\.pth has no partner"):
        resolve(small, model="compact", denoise=0.5)(picture)


def test_a_missing_partner_is_named_with_its_address(small, tmp_path, picture):
    (tmp_path / "realesr-general-x4v3.pth").write_bytes((small / "tiny-general-x4v3.pth").read_bytes())
    with pytest.raises(ModelError, match=r"realesr-general-wdn-x4v3\.pth beside .*https://github\.com/.*about 4\.9 MB"):
        resolve(tmp_path, model="realesr-general-x4v3", denoise=0.5)(picture)


def test_models_of_different_shapes_are_not_blended():
    with pytest.raises(ModelError, match="differ in their tensors"):
        blend({"a": torch.zeros(2)}, {"a": torch.zeros(3)}, 0.5, "m.pth")


# --- files -----------------------------------------------------------------------------------------------------------------


def test_a_missing_model_is_named_with_folder_address_and_size(tmp_path):
    with pytest.raises(ModelError) as caught:
        resolve(tmp_path, model="RealESRGAN_x2plus.pth")(np.zeros((1, 4, 4, 3), np.float32))
    text = str(caught.value)
    assert all(part in text for part in ("RealESRGAN_x2plus.pth", str(tmp_path), published("RealESRGAN_x2plus").url, "67 MB"))


def test_a_missing_model_of_ones_own_lists_the_published_ones(tmp_path):
    with pytest.raises(ModelError, match=r"mine\.pth is not in .*realesr-animevideov3\.pth"):
        find_model("mine.pth", [tmp_path])


def test_a_name_works_with_and_without_ending_and_as_a_path(small):
    assert find_model("compact", [small]) == find_model("compact.pth", [small]) == find_model(str(small / "compact.pth"), [])


def test_without_a_host_the_folder_is_that_of_the_environment(small, monkeypatch, tmp_path):
    (tmp_path / "upscale_models").symlink_to(small)
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
    assert find_model("compact").name == "compact.pth"


def test_every_published_model_has_an_address_and_a_size():
    assert len({p.url for p in PUBLISHED}) == len(PUBLISHED)
    assert all(p.url.startswith("https://") and p.url.endswith(".pth") and p.megabytes > 0 for p in PUBLISHED)


def test_stated_sizes_are_those_of_the_parameters(manifests):
    for name, manifest in manifests.items():
        assert published(name).megabytes == pytest.approx(manifest["n_params"] * 4 / 1e6, rel=0.03)
        assert published(name).scale == manifest["scale"]


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04 not a zip"])
def test_a_damaged_file_is_refused_by_name(content, tmp_path):
    (tmp_path / "broken.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.pth cannot be read as a model"):
        load_model(tmp_path / "broken.pth")


def test_a_damaged_safetensors_file_is_refused_by_name(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match=r"broken\.safetensors cannot be read"):
        load_model(tmp_path / "broken.safetensors")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").write_text, ("x",))

    torch.save({"params": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match=r"evil\.pth cannot be read"):
        load_model(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[1, 2], {}, torch.zeros(2)])
def test_a_file_without_a_table_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "list.pth")
    with pytest.raises(ModelError, match="a table of tensors by name is wanted"):
        load_model(tmp_path / "list.pth")


def test_a_network_of_no_known_architecture_is_refused(tmp_path):
    torch.save({"encoder.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"other\.pth is of no architecture that spandrel knows"):
        load_model(tmp_path / "other.pth")


def test_a_network_with_tensors_missing_is_refused(small, tmp_path):
    state = torch.load(small / "compact.pth")["params"]
    state.pop("body.2.weight")
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(ModelError, match=r"short\.pth looks like a known network, but its tensors do not fit"):
        load_model(tmp_path / "short.pth")


def test_a_network_that_wants_a_mask_too_is_refused():
    from spandrel import ImageModelDescriptor, MaskedImageModelDescriptor

    from talkies.core.upscale.loader import checked

    masked = object.__new__(MaskedImageModelDescriptor)
    with pytest.raises(ModelError, match="MaskedImageModelDescriptor; a network that takes a single image is wanted"):
        checked(masked, ImageModelDescriptor, "lama.pth")


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"clip\.mp4 is no model file"):
        load_model(tmp_path / "clip.mp4")


def test_a_replaced_file_is_read_again(small, tmp_path, picture):
    (tmp_path / "m.pth").write_bytes((small / "compact.pth").read_bytes())
    before = resolve(tmp_path, model="m")(picture)
    (tmp_path / "m.pth").write_bytes((small / "rrdb2.pth").read_bytes())
    assert resolve(tmp_path, model="m")(picture).shape != before.shape


# --- precision -------------------------------------------------------------------------------------------------------------


def test_a_network_on_the_wire_keeps_its_own_precision(small):
    descriptor = load_model(small / "rrdb.pth")
    keys = set(descriptor.model.state_dict())
    engine = TorchEngine(descriptor, "bfloat16")
    with engine.session() as start:
        start(torch.rand(1, 3, 16, 16)).wait()
    assert {t.dtype for t in descriptor.model.parameters()} == {torch.float32} and set(descriptor.model.state_dict()) == keys


def test_a_precision_that_the_network_does_not_allow_is_refused(small):
    descriptor = load_model(small / "compact.pth")
    descriptor.supports_bfloat16 = False
    with pytest.raises(ModelError, match="does not work in bfloat16"):
        TorchEngine(descriptor, "bfloat16")

