import hashlib
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkies.core.arrays import ArrayError
from talkies.core.audio.context import BORDERS, MODES, check_rows, context, frame_tensor


def numbered(count, width=3):
    return np.repeat(np.arange(1, count + 1, dtype=np.float32)[:, None], width, axis=1)


class TestBorders:
    @given(count=st.integers(1, 60), index=st.integers(0, 59), border=st.sampled_from(BORDERS))
    def test_sixteen_rows_for_every_length(self, count, index, border):
        if index >= count:
            return
        found = context(numbered(count), index, border)
        assert found.shape == (16, 3)
        if not (border == "legacy" and index + 8 > count):
            np.testing.assert_array_equal(found[8], numbered(count)[index])

    @given(count=st.integers(1, 60), index=st.integers(0, 59))
    def test_the_rules_agree_where_nothing_is_missing(self, count, index):
        if not 8 <= index <= count - 8:
            return
        wanted = numbered(count)[index - 8 : index + 8]
        for border in BORDERS:
            np.testing.assert_array_equal(context(numbered(count), index, border), wanted)

    def test_zeros_are_zeros_even_in_a_clip_of_four(self):
        assert context(numbered(4), 1)[:, 0].tolist() == [0] * 7 + [1, 2, 3, 4] + [0] * 5

    def test_edge_repeats(self):
        assert context(numbered(4), 1, "edge")[:, 0].tolist() == [1] * 8 + [2, 3] + [4] * 6

    def test_legacy_jumps_seven_before_the_end(self):
        assert context(numbered(20), 12, "legacy")[:, 0].tolist() == list(range(5, 21))
        assert context(numbered(20), 13, "legacy")[:, 0].tolist() == [20] * 16
        assert context(numbered(20), 0, "legacy")[:8, 0].tolist() == [1] * 8

    def test_the_rows_are_not_touched(self):
        rows = numbered(9)
        context(rows, 0)[:] = 7
        np.testing.assert_array_equal(rows, numbered(9))

    @pytest.mark.parametrize("index", [-1, 9, 100])
    def test_a_frame_that_is_not_there_is_refused(self, index):
        with pytest.raises(IndexError, match="frames 0 to 8"):
            context(numbered(9), index)

    def test_an_unknown_rule_is_refused(self):
        with pytest.raises(ValueError, match="zeros, edge, legacy"):
            context(numbered(9), 0, "mirror")


class TestGoldens:
    @pytest.mark.parametrize("name", ["talk_hb_4s", "synth_3s", "silence_2s"])
    @pytest.mark.parametrize(("border", "key"), [("zeros", "zeropad"), ("legacy", "edgepad_dk")])
    def test_ave_frames(self, shared, name, border, key):
        with np.load(shared / "goldens" / "audio" / f"golden_{name}.npz") as arrays:
            raw = arrays["features"]
            rows = np.concatenate((raw[:1], raw, raw[-1:]))
            assert len(rows) == arrays["features_padded_rows"][0]
            frames = [k for k in arrays if k.startswith(f"frame_ave_{key}_")]
            assert len(frames) == 5
            for frame in frames:
                np.testing.assert_array_equal(frame_tensor(rows, int(frame.rsplit("_", 1)[1]), "ave", border), arrays[frame])

    @pytest.mark.parametrize("mode", ["hubert", "wenet"])
    def test_other_modes(self, shared, mode):
        import json

        info = json.loads((shared / "goldens" / "audio" / "goldens_info.json").read_text())[f"mode_{mode}"]
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(f"feat.{mode}".encode())))
        rows = check_rows(rng.standard_normal(info["input"], dtype=np.float32), mode)
        with np.load(shared / "goldens" / "audio" / "golden_modes.npz") as arrays:
            for index in (0, 1, 10, 19):
                tensor = frame_tensor(rows, index, mode)
                assert list(tensor.shape) == info["output"]
                assert hashlib.sha256(tensor.tobytes()).hexdigest() == info[f"sha256_{index}"]
                np.testing.assert_array_equal(tensor.reshape(-1)[::97], arrays[f"{mode}_{index}_stride97"])


class TestRows:
    @pytest.mark.parametrize("mode", list(MODES))
    def test_sizes_close(self, mode):
        assert 16 * np.prod(MODES[mode].row) == np.prod(MODES[mode].tensor)

    @pytest.mark.parametrize(("mode", "shape", "wanted"), [
        ("ave", (7, 512), (7, 512)), ("hubert", (14, 1024), (7, 2, 1024)), ("hubert", (7, 2, 1024), (7, 2, 1024)),
        ("hubert", (7, 2048), (7, 2, 1024)), ("wenet", (7, 8192), (7, 16, 512)), ("wenet", (7, 16, 512), (7, 16, 512))])
    def test_known_layouts_are_folded(self, mode, shape, wanted):
        assert check_rows(np.zeros(shape, np.float32), mode).shape == wanted

    @pytest.mark.parametrize(("mode", "shape"), [
        ("ave", (7, 1024)), ("ave", (512,)), ("ave", (0, 512)), ("hubert", (7, 512)), ("hubert", (7, 1024)), ("wenet", (7, 512)),
        ("wenet", (7, 512, 16)), ("hubert", (7, 1024, 2)), ("ave", (7, 2, 256))])
    def test_features_of_another_network_are_refused(self, mode, shape):
        with pytest.raises(ArrayError, match=mode):
            check_rows(np.zeros(shape, np.float32), mode)

    def test_nan_is_refused_with_its_row(self):
        rows = np.zeros((7, 512), np.float32)
        rows[3, 100] = np.inf
        with pytest.raises(ArrayError, match="row 3"):
            check_rows(rows, "ave")
