import json
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from speech_made import checkpoint_file, encoder_state

from talkies.core.arrays import ArrayError
from talkies.core.audio.checkpoint import load_encoder
from talkies.core.audio.encoder import AudioEncoder, encode, fold, network_from_state
from talkies.core.audio.mel import ENHANCED, mel_spectrogram
from talkies.core.audio.windows import window_starts


@pytest.fixture(scope="module")
def network():
    return network_from_state(encoder_state(), "deterministic")


@pytest.fixture(scope="module")
def folded(network):
    return fold(network)


class TestNetwork:
    def test_keys_shapes_and_parameters_are_the_published_ones(self, shared, network):
        manifest = json.loads((shared / "goldens" / "audio" / "manifest.json").read_text())
        state = network.state_dict()
        assert list(state) == list(manifest["entries"])
        assert len(state) == 91
        assert sum(p.numel() for p in network.parameters()) == manifest["n_params"] == 2_812_672
        for key, entry in manifest["entries"].items():
            assert list(np.atleast_1d(state[key].numpy()).shape) == entry["shape"]
            assert state[key].double().sum().item() == pytest.approx(entry["det_sum_f64"], rel=1e-6, abs=1e-6)

    @pytest.mark.parametrize("name", ["talk_hb_4s", "synth_3s", "silence_2s", "min_3000samples"])
    def test_features_equal_the_goldens(self, shared, network, folded, name):
        with np.load(shared / "goldens" / "audio" / f"golden_{name}.npz") as arrays:
            mel = arrays["mel"].astype(np.float32)
            for each, allowed in ((network, 2e-5), (folded, 5e-5)):
                assert np.abs(encode(each, mel, arrays["window_start"], batch=40) - arrays["features"]).max() <= allowed

    def test_features_are_not_negative_and_depend_on_the_window(self, folded):
        mel = np.random.default_rng(0).uniform(-4, 4, (80, 60)).astype(np.float32)
        features = encode(folded, mel, np.array([0, 20, 40]))
        assert features.min() >= 0
        assert np.abs(features[0] - features[1]).max() > 0.1

    @pytest.mark.parametrize("shape", [(2, 1, 80, 15), (2, 1, 80, 17), (2, 1, 128, 16), (2, 80, 16), (2, 3, 80, 16), (1, 80, 16, 1)])
    def test_any_other_window_is_refused(self, network, folded, shape):
        for each in (network, folded):
            with pytest.raises(ArrayError, match=r"\[B,1,80,16\]"):
                each(torch.zeros(shape))

    def test_the_enhanced_mel_is_refused_with_the_reason(self, folded):
        mel = mel_spectrogram(np.zeros((1, 22050), np.float32), 22050, ENHANCED)
        with pytest.raises(ArrayError, match="enhanced preset"):
            encode(folded, mel, np.array([0]))

    def test_repeated_windows_are_run_once(self, folded):
        seen = []
        mel = np.random.default_rng(0).uniform(-4, 4, (80, 60)).astype(np.float32)
        features = encode(folded, mel, np.array([5, 0, 5, 5, 0]), progress=lambda done, total: seen.append((done, total)))
        assert seen == [(2, 2)]
        np.testing.assert_array_equal(features[[0, 1, 0, 0, 1]], features)

    @settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(batch=st.integers(3, 40))
    def test_the_batch_never_shows(self, folded, batch):
        mel = np.random.default_rng(0).uniform(-4, 4, (80, 100)).astype(np.float32)
        starts = window_starts(100, 25)
        np.testing.assert_allclose(encode(folded, mel, starts, batch=batch), encode(folded, mel, starts), atol=2e-5)


class TestCheckpoints:
    @pytest.mark.parametrize("prefix", ["", "audio_encoder."])
    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    def test_both_forms_load(self, tmp_path, prefix, suffix):
        path = tmp_path / f"encoder{suffix}"
        state = encoder_state(prefix)
        torch.save(state, path) if suffix == ".pth" else safetensors.torch.save_file(state, path)
        encoder = load_encoder(path)
        assert encoder.name == path.name
        assert len(encoder.sha256) == 64
        windows = torch.zeros(1, 1, 80, 16)
        np.testing.assert_array_equal(encoder.network(windows), fold(network_from_state(encoder_state(), "x"))(windows))

    def test_half_precision_loads(self, tmp_path, network):
        torch.save(encoder_state("", torch.float16), tmp_path / "half.pth")
        mel = np.random.default_rng(0).uniform(-4, 4, (80, 40)).astype(np.float32)
        half = encode(load_encoder(tmp_path / "half.pth").network, mel, np.array([0, 10]))
        assert half.dtype == np.float32
        assert 0 < np.abs(half - encode(network, mel, np.array([0, 10]))).max() < 0.05

    def test_missing_unknown_and_misshapen_are_listed(self):
        state = encoder_state("")
        del state["4.conv_block.0.bias"]
        state["13.conv_block.0.bias"] = torch.zeros(3)
        state["0.conv_block.0.weight"] = torch.zeros(32, 3, 3, 3)
        state["2.conv_block.1.bias"] = torch.full((32,), float("nan"))
        with pytest.raises(ValueError) as error:
            network_from_state(state, "broken.pth")
        text = str(error.value)
        assert "broken.pth" in text
        assert "missing: audio_encoder.4.conv_block.0.bias" in text
        assert "unknown: audio_encoder.13.conv_block.0.bias" in text
        assert "shape [32, 3, 3, 3], wanted [32, 1, 3, 3]: audio_encoder.0.conv_block.0.weight" in text
        assert "NaN or infinity: audio_encoder.2.conv_block.1.bias" in text

    def test_a_long_list_is_cut(self):
        with pytest.raises(ValueError, match=r"and \d+ more"):
            network_from_state({}, "empty.pth")

    def test_training_counters_may_be_missing(self, network):
        state = {k: v for k, v in encoder_state().items() if not k.endswith("num_batches_tracked")}
        for key, value in network_from_state(state, "x").state_dict().items():
            assert torch.equal(value, network.state_dict()[key])

    def test_a_pickle_with_code_is_refused_and_not_run(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (open, (str(tmp_path / "ran"), "w"))

        torch.save({"0.conv_block.0.weight": Evil()}, tmp_path / "evil.pth")
        with pytest.raises(ValueError, match="run code"):
            load_encoder(tmp_path / "evil.pth")
        assert not (tmp_path / "ran").exists()

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(content=st.binary(max_size=400), suffix=st.sampled_from([".pth", ".safetensors"]),
           start=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02"]))
    def test_rubbish_is_refused_in_words(self, tmp_path, content, suffix, start):
        path = tmp_path / f"rubbish{suffix}"
        path.write_bytes(start + content)
        with pytest.raises(ValueError, match="rubbish"):
            load_encoder(path)

    @pytest.mark.parametrize("value", [[1, 2], {1: 2}, torch.zeros(3), {"a": 1}])
    def test_other_contents_are_refused(self, tmp_path, value):
        torch.save(value, tmp_path / "other.pth")
        with pytest.raises(ValueError, match=r"other\.pth"):
            load_encoder(tmp_path / "other.pth")

    def test_truncated_is_refused(self, tmp_path):
        path = checkpoint_file(tmp_path)
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(ValueError, match="damaged"):
            load_encoder(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="audio_visual_encoder"):
            load_encoder(tmp_path / "none.pth")

    def test_a_file_too_large_is_refused_unread(self, tmp_path, monkeypatch):
        from talkies.core.audio import checkpoint

        path = checkpoint_file(tmp_path)
        monkeypatch.setattr(checkpoint, "LARGEST", 1000)
        with pytest.raises(ValueError, match="11"):
            load_encoder(path)


def test_state_is_plain(network):
    assert pickle.loads(pickle.dumps(network.state_dict())).keys() == network.state_dict().keys()


def test_double_relu_block_shapes_are_the_published_ones():
    sizes = []
    network = AudioEncoder().eval()
    for block in network.blocks():
        block.register_forward_hook(lambda module, given, made: sizes.append(tuple(made.shape[1:])))
    with torch.no_grad():
        network(torch.zeros(1, 1, 80, 16))
    wanted = [(32, 80, 16)] * 3 + [(64, 27, 16)] * 3 + [(128, 9, 6)] * 3 + [(256, 3, 3)] * 2 + [(512, 1, 1)] * 2
    assert sizes == wanted
