"""Loading weights: the right file loads to the bit, and every wrong one is named as what it is."""
from __future__ import annotations

import collections
import json
import subprocess
import sys

import lips_filling
import pytest
import torch

from talkies.core.lipsync.checkpoint import PUBLISHED, CheckpointError, load
from talkies.core.lipsync.network import LipNetwork


@pytest.fixture(scope="module")
def shapes():
    with torch.device("meta"):
        return {k: tuple(v.shape) for k, v in LipNetwork().state_dict().items()}


@pytest.fixture(scope="module")
def half_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("lips") / PUBLISHED
    lips_filling.write_checkpoint(path, torch.float16)
    return path


def light(shapes):
    """Tensors of these shapes that take no room on disk: each is one zero, spread."""
    return {k: torch.zeros(1).expand(s) for k, s in shapes.items()}


def saved(folder, value):
    path = folder / PUBLISHED
    torch.save(value, path)
    return path


def refused(path, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        load(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_half_precision_file_loads(half_file, precision):
    network = load(half_file, precision)
    assert network.precision == precision and not network.training and network.placement.type == "cpu"
    state = network.state_dict()
    for key in ("input_blocks.7.1.qkv.weight", "time_embed.0.weight", "out.2.bias", "audio_encoder.middle_block.0.emb_layers.1.weight"):
        wanted = lips_filling.weight(key, tuple(state[key].shape)).half()
        assert torch.equal(state[key], wanted.to(precision) if "qkv" in key else wanted.float())
    assert not any(p.requires_grad for p in network.parameters())


def test_full_precision_and_safetensors_load(tmp_path, shapes):
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "lips.safetensors"
    safetensors.save_file({k: lips_filling.weight(k, s) if "time_embed" in k else torch.zeros(s) for k, s in shapes.items()}, path)
    assert torch.equal(load(path).time_embed[2].weight, lips_filling.weight("time_embed.2.weight", (512, 512)))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:100_000])
    refused(cut, "download broke off")


def test_old_file_format_loads(tmp_path, shapes):
    path = tmp_path / PUBLISHED
    torch.save(light(shapes), path, _use_new_zipfile_serialization=False)
    assert float(load(path).out[2].weight.abs().max()) == 0


@pytest.mark.parametrize("kept", [0.001, 0.5, 0.99])
def test_truncated_download(half_file, tmp_path, kept):
    path = tmp_path / PUBLISHED
    with half_file.open("rb") as whole:
        path.write_bytes(whole.read(int(half_file.stat().st_size * kept)))
    refused(path, r"truncated download \(the whole file is about 407 MB, or 203 MB in half precision\)\. Download it again")


@pytest.mark.parametrize("kept", [0.2, 0.7, 0.95])
def test_truncated_old_format(tmp_path, shapes, kept):
    path = tmp_path / PUBLISHED
    torch.save(light(shapes), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    refused(path, "Download it again|broke off")


@pytest.mark.parametrize("variant", ["arch_256_same_width", "fork_256_config"])
def test_a_256_model(tmp_path, shared, variant):
    manifest = json.loads((shared / "goldens" / "diff2lip" / "manifest.json").read_text())
    refused(saved(tmp_path, light(manifest[variant]["shapes"])), f"for 256x256 faces .{manifest[variant]['parameters']:,} parameters")


@pytest.mark.parametrize(("key", "message"), [
    ("module.face_encoder_blocks.0.0.conv_block.0.weight", "a Wav2Lip generator"),
    ("face_encoder.0.conv_block.0.weight", "SyncNet expert"),
    ("conv3_3_norm.weight", "S3FD face detector"),
    ("model.diffusion_model.out.2.weight", "Stable Diffusion checkpoint"),
    ("down_blocks.0.attentions.0.norm.weight", "diffusers U-Net"),
    ("somebody.elses.weight", "some other network: none of its 1 tensors"),
])
@pytest.mark.parametrize("wrapped", [True, False])
def test_another_network(tmp_path, key, message, wrapped):
    inner = collections.OrderedDict({key: torch.zeros(2)})
    if wrapped and "somebody" in key:
        message = "wraps its tensors"
    refused(saved(tmp_path, {"state_dict": inner, "optimizer": None, "global_step": 7} if wrapped else inner), message)


def test_a_unet_without_speech(tmp_path, shapes):
    silent = {k: s for k, s in shapes.items() if not k.startswith("audio_")}
    refused(saved(tmp_path, light({**silent, "input_blocks.0.0.weight": (128, 3, 3, 3)})), "3 input channels without the speech input")


def test_a_network_of_another_width(tmp_path, shapes):
    refused(saved(tmp_path, light({**shapes, "out.2.weight": (3, 128, 3, 3)})), r"another size: out\.2\.weight has shape \[3, 128, 3, 3\]")


def test_missing_and_unknown_tensors_are_counted(tmp_path, shapes):
    short = {k: s for k, s in shapes.items() if not k.startswith("time_embed")}
    refused(saved(tmp_path, light({**short, "ema": (1,)})),
            r"lacks 4 of the 632 tensors \(time_embed\.0\.weight, .* has 1 unknown ones \(ema\)")


def test_wrapped_weights_are_not_guessed_at(tmp_path, shapes):
    refused(saved(tmp_path, {"model": light(shapes), "step": 3}), "wraps its tensors, with step")


def test_damaged_values(tmp_path, shapes):
    bad = {**light(shapes), "out.2.bias": torch.tensor([0, 0, float("nan"), 0, 0, 0])}
    refused(saved(tmp_path, bad), r"out\.2\.bias holds NaN")
    refused(saved(tmp_path, {**bad, "out.2.bias": torch.zeros(6, dtype=torch.int64)}), r"out\.2\.bias is int64")


class Runs:
    def __reduce__(self):
        return print, ("this must not run",)


def test_code_in_a_file_is_not_run(tmp_path, shapes, capsys):
    refused(saved(tmp_path, {**light(shapes), "extra": Runs()}), "could run code")
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"), (b"<!DOCTYPE html><html>", "is a web page"), (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    (b"\x00\x01rubbish" * 50, "cannot be read as a PyTorch file|could run code|truncated"),
])
def test_files_that_are_no_weights(tmp_path, content, message):
    path = tmp_path / PUBLISHED
    path.write_bytes(content)
    refused(path, message)


def test_a_lone_tensor(tmp_path):
    refused(saved(tmp_path, torch.zeros(3)), "holds a Tensor; a table of named tensors")


def test_no_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"is not there.*407 MB, CC BY-NC 4\.0"):
        load(tmp_path / PUBLISHED)


@pytest.mark.slow
def test_the_tool_writes_a_file_that_loads(tmp_path):
    from library_guard import ROOT

    path = tmp_path / "filled.pt"
    if not (ROOT / "benchmarks" / "__init__.py").is_file():
        pytest.skip("benchmarks/__init__.py, which makes the pack importable, is not in this checkout")
    subprocess.run([sys.executable, str(ROOT / "tests" / "lips_filling.py"), str(path)], check=True)
    assert torch.equal(load(path).out[2].bias, lips_filling.weight("out.2.bias", (6,)))
