from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_made import RATE, voice

from talkies.core.audio.context import check_rows
from talkies.core.audio.fbank import fbank
from talkies.core.audio.hubert import CHUNK, hubert_rows, load_hubert, natural_frames
from talkies.core.audio.wenet import load_wenet, wenet_rows


@pytest.fixture(scope="module")
def tiny_hubert():
    """HuBERT's own code with few and random weights, but the real strides and the real 1024 features."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.HubertConfig(
        hidden_size=1024, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, conv_dim=(16,) * 7, feat_extract_norm="layer",
        conv_bias=True, do_stable_layer_norm=True)
    return transformers.HubertModel(config).eval()


class TestHubert:
    def test_two_steps_a_frame_at_25(self, tiny_hubert):
        sound = voice(2)
        rows = hubert_rows(tiny_hubert, sound, Fraction(25))
        normal = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        with torch.no_grad():
            steps = tiny_hubert(torch.from_numpy(normal)).last_hidden_state[0].numpy()
        assert len(steps) == 99
        assert rows.shape == (49, 2, 1024)  # the odd last step is dropped, as published
        np.testing.assert_allclose(rows.reshape(-1, 1024), steps[:98], atol=1e-4)

    def test_long_sounds_run_in_stretches_of_1000_steps(self, tiny_hubert):
        sound = np.concatenate([voice(21)], axis=1)
        rows = hubert_rows(tiny_hubert, sound, Fraction(25)).reshape(-1, 1024)
        normal = (sound - sound.mean(dtype=np.float64)) / np.sqrt(sound.var(dtype=np.float64) + 1e-7)
        with torch.no_grad():
            first, second = (tiny_hubert(torch.from_numpy(normal[:, a:b].astype(np.float32))).last_hidden_state[0].numpy()
                             for a, b in ((0, CHUNK + 80), (CHUNK, None)))
        assert len(first) == 1000
        np.testing.assert_allclose(rows[:1000], first, atol=1e-3)
        np.testing.assert_allclose(rows[1000:1040], second[:40], atol=1e-3)

    @settings(max_examples=10, deadline=None)
    @given(samples=st.integers(1, 20_000), frames=st.integers(1, 50),
           fps=st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60)]))
    def test_exactly_the_frames_asked_for(self, tiny_hubert, samples, frames, fps):
        rows = hubert_rows(tiny_hubert, np.random.default_rng(samples).uniform(-1, 1, (1, samples)).astype(np.float32), fps, frames)
        assert rows.shape == (frames, 2, 1024)
        assert np.isfinite(rows).all()
        check_rows(rows, "hubert")

    @given(samples=st.integers(0, 10**7))
    def test_the_natural_count_is_whole_pairs(self, samples):
        assert natural_frames(samples, Fraction(25)) == max(1, max(0, (samples - 80) // 320) // 2)

    def test_loads_from_a_folder(self, tiny_hubert, tmp_path):
        tiny_hubert.save_pretrained(tmp_path / "hubert")
        loaded = load_hubert(tmp_path / "hubert" / "model.safetensors")
        assert loaded.name == "hubert"
        rows = [hubert_rows(each, voice(0.5), Fraction(25)) for each in (loaded.network, tiny_hubert)]
        np.testing.assert_array_equal(*rows)

    def test_another_size_is_refused(self, tmp_path):
        transformers = pytest.importorskip("transformers")
        config = transformers.HubertConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, conv_dim=(8,) * 7)
        transformers.HubertModel(config).save_pretrained(tmp_path / "base")
        with pytest.raises(ValueError, match="32 numbers a step"):
            load_hubert(tmp_path / "base")

    def test_an_empty_folder_says_what_belongs_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="facebook/hubert-large-ls960-ft"):
            load_hubert(tmp_path)


def tiny_wenet(path, rank=4, outputs=16 * 512, bands=80):
    """An ONNX file with the inputs of a WeNet encoder: every feature is a random mix of the chunk, plus offset and cache."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    mix = numpy_helper.from_array((rng.standard_normal((67 * bands, outputs)) / 100).astype(np.float32), "mix")
    shape = numpy_helper.from_array(np.array([1, 67 * bands], np.int64), "flat")
    out = numpy_helper.from_array(np.array([1, 16, outputs // 16], np.int64), "shape")
    nodes = [
        helper.make_node("Reshape", ["chunk", "flat"], ["line"]), helper.make_node("MatMul", ["line", "mix"], ["mixed"]),
        helper.make_node("Cast", ["offset"], ["place"], to=TensorProto.FLOAT), helper.make_node("Add", ["mixed", "place"], ["placed"]),
        helper.make_node("ReduceSum", ["att_cache"], ["kept"], keepdims=0), helper.make_node("Add", ["placed", "kept"], ["sum"]),
        helper.make_node("Reshape", ["sum", "shape"], ["output"]),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "encoder",
        [info("chunk", TensorProto.FLOAT, [1] * (rank - 2) + [67, bands]), info("offset", TensorProto.INT64, [1]),
         info("att_cache", TensorProto.FLOAT, [3, 8, 16, 128])],
        [info("output", TensorProto.FLOAT, [1, 16, outputs // 16])], [mix, shape, out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return (numpy_helper.to_array(mix)).astype(np.float64)


class TestWenet:
    @pytest.mark.parametrize("rank", [3, 4])
    def test_every_fifth_chunk_at_20_fps(self, tmp_path, rank):
        mix = tiny_wenet(tmp_path / "encoder.onnx", rank)
        sound = voice(1)
        rows = wenet_rows(load_wenet(tmp_path / "encoder.onnx"), sound, Fraction(20))
        bank = fbank(np.pad(np.trunc(sound[0] * 32767), (32 * 160, 35 * 160)).astype(np.float32))
        assert len(rows) == -(-(len(bank) - 67) // 5) + 1
        for i in (0, 5, len(rows) - 2):
            wanted = bank[5 * i : 5 * i + 67].astype(np.float64).reshape(-1) @ mix + 100
            np.testing.assert_allclose(rows[i].reshape(-1), wanted, atol=1e-2)
        lacking = np.pad(bank[5 * (len(rows) - 1) :], ((0, 5 * (len(rows) - 1) + 67 - len(bank)), (0, 0)))
        np.testing.assert_allclose(rows[-1].reshape(-1), lacking.astype(np.float64).reshape(-1) @ mix + 100, atol=1e-2)

    @pytest.mark.parametrize(("fps", "frames"), [(Fraction(20), 1), (Fraction(25), 40), (Fraction(30000, 1001), 90)])
    def test_exactly_the_frames_asked_for(self, tmp_path, fps, frames):
        tiny_wenet(tmp_path / "encoder.onnx")
        rows = wenet_rows(load_wenet(tmp_path / "encoder.onnx"), voice(1), fps, frames)
        assert rows.shape == (frames, 16, 512)
        check_rows(rows, "wenet")

    def test_an_encoder_of_another_size_is_refused(self, tmp_path):
        tiny_wenet(tmp_path / "small.onnx", outputs=16 * 256)
        with pytest.raises(ValueError, match=r"small\.onnx gives"):
            wenet_rows(load_wenet(tmp_path / "small.onnx"), voice(0.5), Fraction(20))
        tiny_wenet(tmp_path / "forty.onnx", bands=40)
        with pytest.raises(ValueError, match="chunk"):
            load_wenet(tmp_path / "forty.onnx")

    def test_rubbish_and_nothing_are_refused(self, tmp_path):
        pytest.importorskip("onnxruntime")
        (tmp_path / "bad.onnx").write_bytes(b"not a model")
        with pytest.raises(ValueError, match=r"bad\.onnx"):
            load_wenet(tmp_path / "bad.onnx")
        with pytest.raises(FileNotFoundError, match=r"encoder.onnx"):
            load_wenet(tmp_path / "none.onnx")


class TestFilterBank:
    def test_equals_kaldis(self):
        kaldi = pytest.importorskip("torchaudio.compliance.kaldi", reason="torchaudio is not installed")
        sound = (1000 * voice(1)[0]).astype(np.float32)
        theirs = kaldi.fbank(torch.from_numpy(sound)[None], num_mel_bins=80, dither=0.0, energy_floor=0.0, sample_frequency=RATE).numpy()
        np.testing.assert_allclose(fbank(sound), theirs, atol=2e-3)

    def test_pinned_values(self):
        # From torchaudio 2.11's kaldi.fbank on this sound.
        sound = (np.random.default_rng(0).standard_normal(16000) * 1000).astype(np.float32)
        sound[8000:9000] = 0
        bank = fbank(sound)
        assert bank.shape == (98, 80)
        np.testing.assert_allclose(bank[0, :3], [11.275573, 10.379441, 11.406179], atol=1e-3)
        assert bank[10, 40] == pytest.approx(18.965961, abs=1e-3)
        assert bank.min() == pytest.approx(-15.942385, abs=1e-5)

    def test_too_short_is_refused(self):
        with pytest.raises(ValueError, match="399 samples"):
            fbank(np.zeros(399, np.float32))
