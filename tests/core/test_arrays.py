"""The boundary takes what it promises, refuses the rest by name, and copies only when it must."""
from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from talkies.core import arrays
from talkies.core.arrays import ArrayError

FLOATS = [np.float16, np.float32, np.float64, np.longdouble]
INTEGERS = [np.bool_, np.uint8, np.uint16, np.uint32]
SIZES = [(1, 1), (1, 7), (7, 1), (5, 3), (4, 4096)]
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


def picture(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) > 0.5
    if dtype.kind == "u":
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    return rng.random(shape).astype(dtype)


def expected(array):
    kind = array.dtype.kind
    if kind == "u":
        return (array.astype(np.longdouble) / np.iinfo(array.dtype).max).astype(np.float32)
    return array.astype(np.float32)


STRIDES = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "reversed": lambda a: a[:, ::-1, ::-1],
    "every other": lambda a: np.repeat(a, 2, axis=2)[:, :, ::2],
    "channels first view": lambda a: np.moveaxis(np.moveaxis(a, -1, 1).copy(), 1, -1),
    "broadcast": lambda a: np.broadcast_to(a[:, :, :1], a.shape),
    "read-only": lambda a: _read_only(a),
    "crop": lambda a: np.pad(a, ((0, 0), (2, 3), (1, 4), (0, 0)))[:, 2:-3, 1:-4],
}


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@settings(max_examples=150, deadline=None)
@given(
    dtype=st.sampled_from([*FLOATS, *INTEGERS]),
    stride=st.sampled_from(sorted(STRIDES)),
    size=st.sampled_from(SIZES),
    channels=st.sampled_from([1, 3, 4]),
    order=st.sampled_from(["=", ">", "<"]),
)
def test_any_array_arrives_with_its_values(dtype, stride, size, channels, order):
    array = STRIDES[stride](picture((2, *size, channels), dtype))
    frames = arrays.to_frames(array.astype(array.dtype.newbyteorder(order)) if order != "=" else array)
    assert frames.dtype == np.float32 and frames.dtype.isnative and frames.flags.c_contiguous and frames.flags.aligned
    assert frames.shape == (2, *size, channels)
    np.testing.assert_array_equal(frames, expected(array))


TORCH = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.bool]


@settings(max_examples=100, deadline=None)
@given(
    dtype=st.sampled_from(TORCH),
    stride=st.sampled_from(["contiguous", "transposed", "sliced", "channels_last"]),
    device=st.sampled_from(DEVICES),
    gradient=st.booleans(),
    channels=st.sampled_from([1, 3, 4]),
)
def test_any_tensor_arrives_with_its_values(dtype, stride, device, gradient, channels):
    values = torch.rand(2, 6, 5, channels, generator=torch.Generator().manual_seed(1))
    tensor = (values * 255 if dtype == torch.uint8 else values > 0.5 if dtype == torch.bool else values).to(dtype).to(device)
    if stride == "transposed":
        tensor = tensor.transpose(1, 2).contiguous().transpose(1, 2)
    elif stride == "sliced":
        tensor = torch.cat([tensor, tensor], 2)[:, :, : tensor.shape[2]]
    elif stride == "channels_last":
        tensor = tensor.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    wanted = tensor.cpu().double() / (255 if dtype == torch.uint8 else 1)
    if gradient and tensor.is_floating_point():
        tensor.requires_grad_()
    frames = arrays.to_frames(tensor)
    assert frames.dtype == np.float32 and frames.flags.c_contiguous
    np.testing.assert_array_equal(frames, wanted.float().numpy())


def test_torch_uint16_is_scaled_by_its_range():
    tensor = torch.tensor([[[[0], [65535]]]], dtype=torch.uint16)
    np.testing.assert_array_equal(arrays.to_frames(tensor).ravel(), [0, 1])


def test_a_conjugated_or_negated_view_is_resolved():
    tensor = torch.imag(torch.complex(torch.zeros(1, 2, 2, 3), torch.ones(1, 2, 2, 3)).conj())
    assert tensor.is_neg()
    assert (arrays.to_frames(tensor) == -1).all()


class TestNoCopyWhenNoneIsNeeded:
    def test_image_to_frames_and_back_share_memory(self):
        image = torch.rand(2, 4, 5, 3)
        frames = arrays.to_frames(image)
        assert frames.ctypes.data == image.data_ptr()
        assert arrays.to_image(frames).data_ptr() == image.data_ptr()

    def test_one_frame_gains_its_batch_axis_as_a_view(self):
        image = torch.rand(4, 5, 3)
        assert arrays.to_frames(image).ctypes.data == image.data_ptr()

    def test_requires_grad_still_shares(self):
        image = torch.rand(1, 4, 5, 3, requires_grad=True)
        assert arrays.to_frames(image).ctypes.data == image.data_ptr()

    def test_a_read_only_array_is_not_handed_to_torch(self):
        frames = arrays.to_frames(_read_only(np.ones((1, 2, 2, 3), np.float32)))
        image = arrays.to_image(frames)
        image.zero_()
        assert (frames == 1).all()

    def test_a_frame_goes_to_opencv_as_it_lies(self):
        frames = arrays.to_frames(torch.rand(3, 4, 5, 3))
        assert frames[1].flags.c_contiguous and arrays.contiguous(frames[1]).ctypes.data == frames[1].ctypes.data

    def test_mask_shares_memory(self):
        mask = torch.rand(2, 4, 5)
        assert arrays.to_mask(mask).ctypes.data == mask.data_ptr()


class TestRanks:
    def test_three_axes_ending_in_channels_are_one_frame(self):
        assert arrays.to_frames(np.zeros((5, 6, 3), np.float32)).shape == (1, 5, 6, 3)

    def test_three_axes_otherwise_are_gray_frames(self):
        assert arrays.to_frames(np.zeros((5, 6, 7), np.float32)).shape == (5, 6, 7, 1)

    @pytest.mark.parametrize("shape", [(5,), (5, 6), (1, 1, 5, 6, 3)])
    def test_other_ranks_are_refused(self, shape):
        with pytest.raises(ArrayError, match=re.escape(f"pictures has shape {list(shape)}; frames are [B,H,W,C]") + ".*float32"):
            arrays.to_frames(np.zeros(shape, np.float32), "pictures")

    @pytest.mark.parametrize("shape", [(0, 5, 6, 3), (1, 0, 6, 3), (1, 5, 0, 3)])
    def test_emptiness_is_refused(self, shape):
        with pytest.raises(ArrayError, match=r"images has shape .*at least 1x1\. \(float32\)"):
            arrays.to_frames(torch.zeros(shape))

    @pytest.mark.parametrize("channels", [2, 5, 16])
    def test_channel_counts_are_refused(self, channels):
        with pytest.raises(ArrayError, match=r"1, 3 or 4 channels"):
            arrays.to_frames(np.zeros((1, 5, 6, channels), np.float32))

    @pytest.mark.parametrize("value", [None, "text", 3, [1, 2], {"samples": 1}])
    def test_what_is_no_array_is_refused_by_type(self, value):
        with pytest.raises(ArrayError, match=f"images is a {type(value).__name__}"):
            arrays.to_frames(value)

    @pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.complex64, object])
    def test_other_dtypes_are_refused(self, dtype):
        with pytest.raises(ArrayError, match="taken are float16"):
            arrays.to_frames(np.zeros((1, 2, 2, 3), dtype))

    def test_a_sparse_tensor_is_refused(self):
        with pytest.raises(ArrayError, match="dense tensor"):
            arrays.to_frames(torch.zeros(1, 2, 2, 3).to_sparse())

    def test_a_list_of_frames_is_stacked(self):
        frames = [torch.full((2, 2, 3), 0.25), torch.full((2, 2, 3), 0.5)]
        assert arrays.to_frames(frames)[:, 0, 0, 0].tolist() == [0.25, 0.5]


class TestFiniteness:
    @settings(max_examples=40, deadline=None)
    @given(frame=st.integers(0, 2), row=st.integers(0, 4), column=st.integers(0, 5), bad=st.sampled_from([np.nan, np.inf, -np.inf]))
    def test_the_first_bad_pixel_is_named(self, frame, row, column, bad):
        array = np.full((3, 5, 6, 3), 0.5, np.float32)
        array[frame, row, column] = bad
        word = "NaN" if np.isnan(bad) else "infinite"
        with pytest.raises(ArrayError, match=f"images: frame {frame} holds 3 {word} values, the first at row {row}, column {column}"):
            arrays.to_frames(array)

    def test_one_value_is_singular(self):
        array = np.zeros((1, 2, 2, 1), np.float32)
        array[0, 1, 0, 0] = np.nan
        with pytest.raises(ArrayError, match=r"holds 1 NaN value, the first at row 1, column 0"):
            arrays.to_frames(array)

    def test_huge_finite_values_pass(self):
        array = np.full((1, 4, 4, 3), 3e38, np.float32)
        assert arrays.to_frames(array) is not None

    def test_a_double_beyond_float32_is_infinite(self):
        with pytest.raises(ArrayError, match="infinite"):
            arrays.to_frames(np.full((1, 2, 2, 3), 1e300))

    def test_nan_may_pass_where_it_is_repaired(self):
        assert np.isnan(arrays.to_frames(np.full((1, 2, 2, 3), np.nan), finite=False)).all()


class TestMask:
    @pytest.mark.parametrize("shape", [(5, 6), (1, 5, 6), (1, 5, 6, 1), (1, 1, 5, 6)])
    def test_every_rank_becomes_three_axes(self, shape):
        assert arrays.to_mask(np.ones(shape, np.float16)).shape == (1, 5, 6)

    def test_values_are_clipped(self):
        assert arrays.to_mask(torch.tensor([[-1.0, 0.25, 2.0]])).ravel().tolist() == [0, 0.25, 1]

    def test_rgb_is_refused(self):
        with pytest.raises(ArrayError, match=r"mask has shape \[1, 5, 6, 3\]"):
            arrays.to_mask(torch.zeros(1, 5, 6, 3))


class TestMatrices:
    @pytest.mark.parametrize("lead", [(), (1,), (4,), (4, 1), (1, 4), (1, 1)])
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    def test_every_form_becomes_one(self, lead, dtype):
        values = torch.arange(6 * int(np.prod(lead)), dtype=dtype).reshape(*lead, 2, 3)
        matrices = arrays.to_matrices(values)
        assert matrices.shape == (int(np.prod(lead)), 2, 3) and matrices.dtype == np.float64 and matrices.flags.c_contiguous
        assert matrices.ravel().tolist() == list(range(values.numel()))

    @pytest.mark.parametrize("shape", [(3, 3), (2, 2), (6,), (2, 4, 2, 3), (0, 2, 3)])
    def test_other_shapes_are_refused(self, shape):
        with pytest.raises(ArrayError, match=r"affine matrices are \[B,2,3\]"):
            arrays.to_matrices(np.zeros(shape))

    def test_nan_is_named_by_matrix(self):
        values = np.zeros((3, 2, 3))
        values[2, 0, 1] = np.nan
        with pytest.raises(ArrayError, match="first in matrix 2"):
            arrays.to_matrices(values)


class TestWaveform:
    @pytest.mark.parametrize("shape", [(1, 2, 9), (2, 9), (9,)])
    def test_every_rank_becomes_channels_by_samples(self, shape):
        assert arrays.to_waveform(torch.zeros(shape)).shape == (1 if len(shape) == 1 else 2, 9)

    @pytest.mark.parametrize(("dtype", "low"), [(np.int16, -32768), (np.int32, -(2**31)), (np.int8, -128)])
    def test_signed_integers_are_scaled(self, dtype, low):
        assert arrays.to_waveform(np.array([low, 0, -(low // 2)], dtype)).tolist() == [[-1, 0, 0.5]]

    def test_uint8_is_centred(self):
        assert arrays.to_waveform(np.array([0, 128, 192], np.uint8)).tolist() == [[-1, 0, 0.5]]

    def test_strided_is_made_contiguous(self):
        assert arrays.to_waveform(torch.zeros(9, 2).T).flags.c_contiguous

    def test_nan_is_named_by_sample(self):
        with pytest.raises(ArrayError, match="channel 0, sample 1"):
            arrays.to_waveform(np.array([0, np.nan]))

    def test_a_batch_of_sounds_is_refused(self):
        with pytest.raises(ArrayError, match="audio has shape"):
            arrays.to_waveform(torch.zeros(2, 1, 9))

    def test_the_tensor_shares_memory(self):
        waveform = np.zeros((2, 9), np.float32)
        tensor = arrays.to_waveform_tensor(waveform)
        assert tensor.shape == (1, 2, 9) and tensor.data_ptr() == waveform.ctypes.data


class TestQuantising:
    def test_every_8_bit_level_survives(self):
        levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
        frames = arrays.from_uint8(levels)
        np.testing.assert_array_equal(frames, levels / np.float32(255))
        np.testing.assert_array_equal(arrays.to_uint8(frames), levels)

    def test_every_16_bit_level_survives(self):
        levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        np.testing.assert_array_equal(arrays.to_uint16(arrays.from_uint16(levels)), levels)

    def test_values_are_rounded_and_clipped(self):
        values = np.array([[-0.3, 0.0, 0.6 / 255, 1.4 / 255, 1.0, 7.0]], np.float32)
        assert arrays.to_uint8(values).tolist() == [[0, 0, 1, 1, 255, 255]]

    def test_truncation_is_to_be_had(self):
        values = np.array([[-0.3, 0.6 / 255, 254.9 / 255, 7.0]], np.float32)
        assert arrays.to_uint8(values, rounding="truncate").tolist() == [[0, 0, 254, 255]]

    def test_a_strided_frame_is_quantised_right(self):
        frame = np.random.default_rng(0).random((4, 6, 3)).astype(np.float32)[:, ::2, ::-1]
        np.testing.assert_array_equal(arrays.to_uint8(frame), arrays.to_uint8(frame.copy()))

    def test_out_is_written(self):
        out = np.empty((2, 2, 3), np.float32)
        assert arrays.from_uint8(np.full((2, 2, 3), 255, np.uint8), out) is out and (out == 1).all()

    def test_out_that_opencv_could_not_write_is_refused(self):
        with pytest.raises(ArrayError, match="out has shape"):
            arrays.from_uint8(np.zeros((2, 2, 3), np.uint8), np.empty((2, 4, 3), np.float32)[:, ::2])
