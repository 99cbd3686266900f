"""The network against goldens of the original; and that each known way to get it wrong would show."""
from __future__ import annotations

import copy
import json

import lips_filling
import numpy as np
import pytest
import torch

from talkies.core.arrays import to_uint8
from talkies.core.lipsync import attention, convolution, network, normalisation
from talkies.core.lipsync.condition import LipInputs, composite
from talkies.core.lipsync.network import LipNetwork
from talkies.core.lipsync.samplers.ddim import Ddim

FORWARD = 3e-5
CHAIN = 1e-5


@pytest.fixture(scope="module", autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def goldens(shared):
    folder = shared / "goldens" / "diff2lip"
    if not folder.is_dir():
        pytest.skip("no goldens of Diff2Lip in ../shared")
    return folder


@pytest.fixture(scope="module")
def forwards(goldens):
    return np.load(goldens / "network.npz")


@pytest.fixture(scope="module")
def net():
    return lips_filling.filled(LipNetwork())


@pytest.fixture(scope="module")
def pair():
    return lips_filling.inputs(2)


@pytest.fixture
def one():
    return lips_filling.inputs(1)


def run(net, given, *timesteps):
    return net(given["x"], torch.tensor(timesteps), given["cond"], given["mask"], given["ref"], given["mel"])


def check(got, want, tolerance=FORWARD):
    off = float((got - torch.tensor(want)).abs().max())
    assert off <= tolerance, f"off by {off:.2g}, {tolerance:g} allowed"


def test_every_key_and_shape_of_the_published_file(net, goldens):
    wanted = json.loads((goldens / "manifest.json").read_text())["published_128"]
    ours = {k: list(v.shape) for k, v in net.state_dict().items()}
    assert ours == wanted["shapes"] and list(ours) == list(wanted["shapes"])
    assert len(ours) == 632 and sum(v.numel() for v in net.state_dict().values()) == 101_670_630


def test_half_precision_takes_the_bytes_that_the_original_reports():
    with torch.device("meta"):
        half = LipNetwork().use_precision(torch.float16)
        audio = [m for part in (half.audio_encoder, half.audio_encoder_to_style) for m in network.convolutions(part)]
    held = sum(v.numel() * v.element_size() for v in half.state_dict().values())
    # The original also halves the convolutions of the audio path, which we keep in float32: it runs once a frame.
    kept = sum(p.numel() * 2 for m in audio for p in m.parameters())
    assert (held - kept) / 2**20 == 204.77034759521484


def test_the_fill_is_the_one_of_the_goldens(net, goldens):
    wanted = json.loads((goldens / "weights_check.json").read_text())
    for key, value in net.state_dict().items():
        assert float(value.double().sum()) == pytest.approx(wanted[key][1], abs=1e-6), key


def test_forward_and_every_block(net, one, forwards, goldens):
    blocks = np.load(goldens / "blocks_b1_t960.npz")
    names = sorted({k.split("|")[0] for k in blocks.files})
    seen = {}
    hooks = [net.get_submodule(n).register_forward_hook(lambda _m, _i, out, n=n: seen.__setitem__(n, out.clone())) for n in names]
    got = run(net, one, 960)
    for hook in hooks:
        hook.remove()
    assert len(names) == 95
    for name in names:
        assert list(seen[name].shape) == blocks[f"{name}|shape"].tolist(), name
        check(seen[name].contiguous().flatten()[:: int(blocks[f"{name}|step"])][:256], blocks[f"{name}|samples"])
        mean, spread = blocks[f"{name}|mean_std"]
        assert [float(seen[name].mean()), float(seen[name].std())] == pytest.approx([mean, spread], abs=1e-5), name
    check(got, forwards["fwd_b1_t960"])


def test_forward_at_a_late_step(net, one, forwards):
    check(run(net, one, 40), forwards["fwd_b1_t40"])


def test_forward_of_a_batch_at_two_steps(net, pair, forwards):
    check(run(net, pair, 960, 40), forwards["fwd_b2_t960_t40"])


def test_forward_of_a_batch_halfway(net, pair, forwards):
    check(run(net, pair, 500, 500)[:, :, ::2, ::2], forwards["fwd_b2_t500"])


def test_audio_and_time(net, pair, forwards):
    check(net.audio_encoder(pair["mel"]), forwards["audio_encoder_out"])
    check(net.style(pair["mel"]), forwards["audio_style"])
    angles = network.sinusoids(torch.tensor(forwards["tt"]), 128)
    check(angles, forwards["timestep_sin_cos_128"], 1e-6)
    check(net.time_embed(angles), forwards["time_embed_out"])
    check(net.audio_encoder.time_embed(network.sinusoids(torch.zeros(1), 32)), forwards["audio_time_embed_out"])


@pytest.fixture(scope="module")
def fused():
    return lips_filling.filled(LipNetwork()).fuse()


def prepared(net, given):
    return net.prepare(given["cond"], given["mask"], given["ref"], given["mel"])


class TestDenoise:
    """What samplers call: everything that steps share computed once, no variance, doublings folded. The same eps."""

    def test_gives_the_golden_eps(self, fused, pair, forwards):
        got = fused.denoise(pair["x"], torch.tensor([960, 40]), prepared(fused, pair))
        assert got.shape == (2, 3, 128, 128)
        check(got, forwards["fwd_b2_t960_t40"][:, :3], 1e-5)

    def test_never_hears_the_sound_again(self, fused, one, monkeypatch):
        conditions = prepared(fused, one)
        monkeypatch.setattr(fused.audio_encoder, "forward", lambda mel: pytest.fail("the audio is encoded once a frame, not once a step"))
        small = network.Conditions(conditions.style, conditions.mask[..., :16, :16], conditions.base[..., :16, :16])
        fused.denoise(one["x"][..., :16, :16], torch.tensor([960]), small)

    def test_channels_last_gives_it_too(self, one, forwards):
        last = lips_filling.filled(LipNetwork()).fuse().to(memory_format=torch.channels_last)
        check(last.denoise(one["x"], torch.tensor([40]), prepared(last, one)), forwards["fwd_b1_t40"][:, :3])

    def test_winograd_gives_it_too(self, one, forwards, monkeypatch):
        monkeypatch.setattr(convolution.torch, "get_num_threads", lambda: 2)
        quick = lips_filling.filled(LipNetwork()).fuse().placed(torch.device("cpu"), quick=True)
        taken = []
        through = convolution._convolve
        monkeypatch.setattr(convolution, "_convolve", lambda picture, *rest: taken.append(picture.shape) or through(picture, *rest))
        check(quick.denoise(one["x"], torch.tensor([40]), prepared(quick, one)), forwards["fwd_b1_t40"][:, :3])
        assert {shape[0] for shape in taken} == {128, 64, 32} and len(taken) > 20

    def test_bfloat16_is_within_two_percent(self, one, forwards):
        half = lips_filling.filled(LipNetwork()).fuse().use_precision(torch.bfloat16).to(memory_format=torch.channels_last)
        assert half.precision == torch.bfloat16
        got = half.denoise(one["x"], torch.tensor([40]), prepared(half, one))
        want = torch.tensor(forwards["fwd_b1_t40"][:, :3])
        assert got.dtype == torch.float32
        assert float((got - want).square().mean().sqrt() / want.square().mean().sqrt()) < 0.02

    def test_rows_are_the_faces_alone(self, fused, pair):
        cut = {k: v[..., 32:64, 32:64] if v.ndim == 4 else v for k, v in pair.items()}
        both = prepared(fused, cut)
        whole = fused.denoise(cut["x"], torch.tensor([500, 500]), both)
        alone = fused.denoise(cut["x"][1:], torch.tensor([500]), both.rows(slice(1, 2)))
        assert len(both) == 2 and float((whole[1:] - alone).abs().max()) < 1e-5


def test_compiled_is_each_network_with_its_own_weights_and_only_where_asked(fused, one, monkeypatch):
    taken = []
    monkeypatch.setattr(torch, "compile", lambda call: lambda network, *rest: taken.append(network) or call(network, *rest))
    network._compiled.cache_clear()
    small = {k: v[..., 32:64, 32:64] if v.ndim == 4 else v for k, v in one.items()}
    try:
        compiled = fused.bound_to(prepared(fused, small), compiled=True)(small["x"], 500)
        assert taken == [fused]
        assert torch.equal(fused.bound_to(prepared(fused, small))(small["x"], 500), compiled) and len(taken) == 1
        half = copy.deepcopy(fused).use_precision(torch.bfloat16)
        half.bound_to(prepared(half, small), compiled=True)(small["x"], 500)
        assert taken[1] is half
    finally:
        network._compiled.cache_clear()


def test_a_fused_doubling_is_the_plain_one():
    block = lips_filling.filled(LipNetwork()).output_blocks[11][1].in_layers[2]
    maps = torch.randn(1, 128, 7, 5, generator=torch.Generator().manual_seed(0))
    plain = block(maps)
    block.fuse()
    assert "fused" not in block.state_dict()
    assert plain.shape == (1, 128, 14, 10) and float((block(maps) - plain).abs().max()) < 5e-6


def lip_inputs(given):
    return LipInputs(given["noise"][:1], given["face"], given["mask"], given["ref"], given["mel"])


class TestChain:
    """Five steps of DDIM, as the original takes them."""

    def test_residual(self, fused, pair, goldens):
        golden = np.load(goldens / "ddim5_chain_residual_b2.npz")
        denoise = fused.bound_to(prepared(fused, pair))
        seen = []
        made = Ddim.spaced("ddim5").sample(lambda x, t: x + 0.1 * denoise(x, t), pair["noise"], watch=lambda s: seen.append(s.timestep))
        check(made.clean, golden["final"], CHAIN)
        assert seen == [800, 600, 400, 200, 0] and made.evaluations == 5
        picture = to_uint8(composite(made.clean, lip_inputs(pair)), rounding="truncate")
        off = np.abs(picture.astype(int) - golden["composited_face_u8"])
        assert off.max() <= 1 and (off > 0).mean() < 1e-3  # a value 1e-6 from a whole level may fall on its other side

    def test_saturated(self, fused, one, goldens):
        golden = np.load(goldens / "ddim5_chain_b1.npz")
        made = Ddim.spaced("ddim5").sample(fused.bound_to(prepared(fused, one)), one["noise"])
        check(made.clean, golden["final"], 1e-4)


def queries_of_all_heads_first(self, qkv):
    count, positions, _ = qkv.shape
    return torch.unbind(qkv.reshape(count, positions, 3, self.heads, 64).permute(2, 0, 3, 1, 4))


def sines_first(timesteps, width):
    cosines, sines = _sinusoids(timesteps, width).chunk(2, dim=1)
    return torch.cat([sines, cosines], dim=1)


_sinusoids = network.sinusoids


class TestMutants:
    """Each of these must fail the very check that the network passes above."""

    @pytest.fixture
    def must_fail(self, net, one, forwards):
        def ran():
            with pytest.raises(AssertionError, match="off by"):
                check(run(net, one, 960), forwards["fwd_b1_t960"])

        return ran

    @pytest.mark.parametrize(("owner", "name", "mutant"), [
        (attention.Attention, "split", queries_of_all_heads_first),
        (network, "sinusoids", sines_first),
        (network, "joined", lambda h, skip: torch.cat([skip, h], dim=1)),
    ], ids=["queries of all heads first", "sines before cosines", "skip before h"])
    def test_layout(self, owner, name, mutant, monkeypatch, must_fail):
        monkeypatch.setattr(owner, name, mutant)
        must_fail()

    def test_zeros_in_the_condition(self, one, must_fail):
        one["cond"][:, :, 64:] = 0
        must_fail()

    def test_mel_off_by_one_frame(self, one, must_fail):
        one["mel"] = torch.roll(one["mel"], 3, dims=2)  # 3.2 columns a frame at 25 fps
        must_fail()

    def test_smaller_epsilon_in_the_norms(self, net, monkeypatch, must_fail):
        for layer in net.modules():
            if isinstance(layer, normalisation.GroupNorm):
                monkeypatch.setattr(layer, "eps", 1e-6)
        must_fail()


@pytest.mark.parametrize(("precision", "last"), [(torch.float32, False), (torch.bfloat16, True)])
def test_layout_that_pays(precision, last):
    placed = lips_filling.filled(LipNetwork()).use_precision(precision).placed(torch.device("cpu"))
    assert placed.output_blocks[0][0].out_layers[3].weight.is_contiguous(memory_format=torch.channels_last) is last
    assert placed.placement == torch.device("cpu")


def test_attention_says_what_widths_it_takes():
    with pytest.raises(ValueError, match="multiple of 64"):
        attention.Attention(96)


def test_the_host_may_write_a_device_onto_the_network():
    """ComfyUI's ModelPatcher does."""
    network = LipNetwork()
    network.device = torch.device("cpu")
    assert network.placement == torch.device("cpu")


@pytest.mark.parametrize("size", [(32, 32), (35, 50)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_quick_convolution_is_the_plain_one(size, layout, monkeypatch):
    monkeypatch.setattr(convolution.torch, "get_num_threads", lambda: 2)
    with torch.inference_mode(False), torch.no_grad():
        plain = convolution.Convolution(8, 5)
        maps = torch.randn(2, 8, *size, generator=torch.Generator().manual_seed(0)).to(memory_format=layout)
        for _ in range(2):
            plain.quick = False
            expected = plain(maps)
            plain.quick = True
            made = plain(maps)
            assert made.shape == expected.shape and 0 < float((made - expected).abs().max()) < 4e-5
            plain.weight.mul_(2)  # other weights are noticed
        small = maps[..., :16, :16]
        quick = plain(small)
        plain.quick = False
        assert torch.equal(quick, plain(small))  # too small to pay
