"""Tiles: they divide the frame, cost little, fade into each other, and get smaller when memory runs out."""
from __future__ import annotations

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from upscale_making import resolve

from talkies.core.progress import silent
from talkies.core.upscale import lean, tiled
from talkies.core.upscale.engine import Pending, Runtime, TorchEngine, padded
from talkies.core.upscale.lean import LeanRRDB
from talkies.core.upscale.loader import load_model
from talkies.core.upscale.quick import QuickCompact
from talkies.core.upscale.tiles import SMALLEST, fitting_grid, grid, spans, weights

CPU = torch.device("cpu")


class Nearest:
    """An engine that repeats pixels, counts its calls, and runs out of memory above a size."""

    scale, channels, multiple, batches = 2, 3, 1, True

    def __init__(self, most=10**9, limit=10**9, error=MemoryError):
        self.most, self.limit, self.error, self.sizes, self.remembered = most, limit, error, [], {}

    def session(self):
        return nullcontext(self.start)

    def start(self, tiles):
        count, _, height, width = tiles.shape
        if count * height * width > self.limit:
            raise self.error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        self.sizes.append((count, height, width))
        return Pending(tiles.repeat_interleave(2, 2).repeat_interleave(2, 3))


def enlarge(frames, engine, progress=silent, **options):
    frames = torch.from_numpy(frames)
    out = torch.full((len(frames), frames.shape[1] * 2, frames.shape[2] * 2, frames.shape[3]), float("nan"))
    tiled.upscale(frames, out, engine, Runtime(), progress, **options)
    return out.numpy()


@pytest.fixture
def frames():
    return np.random.default_rng(0).random((3, 150, 210, 3)).astype(np.float32)


# --- the geometry ------------------------------------------------------------------------------------------------------------


@given(length=st.integers(1, 5000), count=st.integers(1, 40), multiple=st.sampled_from([1, 2, 4, 8, 16, 64]))
def test_shares_cover_the_length_and_add_up_to_one(length, count, multiple):
    total = torch.zeros(length * 2)
    for span in spans(length, count, multiple):
        assert span.read[0] % multiple == 0 and (span.read[1] % multiple == 0 or span.read[1] == length)
        assert 0 <= span.read[0] <= span.write[0] < span.write[1] <= span.read[1] <= length
        share = weights(span, 2, CPU)
        assert sum(span.fade) * 2 <= len(share) and share.min() > 0
        total[span.write[0] * 2 : span.write[1] * 2] += share
    torch.testing.assert_close(total, torch.ones(length * 2), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (1920, 1080), (720, 1280), (2160, 3840), (1080, 4096)])
@pytest.mark.parametrize("most", [20_000, 60_000, 120_000, 300_000])
def test_the_overhead_stays_under_8_percent(height, width, most):
    for multiple in (1, 4):
        assert fitting_grid(height, width, most, multiple).overhead < 1.08


def test_the_usual_tilings_cost_more_at_1080p():
    def usual(tile, pad):
        rows, columns = (sum(min(n, s + tile + pad) - max(0, s - pad) for s in range(0, n, tile)) for n in (1080, 1920))
        return rows * columns / (1080 * 1920)

    ours = fitting_grid(1080, 1920, 130_000, 4).overhead
    assert ours < 1.075 < usual(400, 10)


def test_tiles_are_about_equal():
    for axis in (grid(1080, 1920, 400).rows, grid(1080, 1920, 400).columns):
        sizes = [s.read[1] - s.read[0] for s in axis]
        assert max(sizes) - min(sizes) <= 9  # a tile at the frame's edge is read 8 px beyond on one side only


def test_a_frame_that_fits_is_one_tile():
    assert len(fitting_grid(512, 512, 512 * 512)) == 1 and len(grid(512, 512, 512)) == 1


@given(height=st.integers(1, 300), width=st.integers(1, 300), tile=st.integers(1, 400))
def test_any_tile_size_covers_any_frame(height, width, tile):
    tiles = grid(height, width, tile)
    assert tiles.rows[0].read[0] == tiles.columns[0].read[0] == 0
    assert (tiles.rows[-1].read[1], tiles.columns[-1].read[1]) == (height, width)


# --- the same picture --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["compact", "rrdb", "rrdb2"])
@pytest.mark.parametrize("size", [(40, 56), (37, 51), (96, 128)])
def test_one_tile_is_the_whole_frame_bit_for_bit(name, size, small, picture):
    frame = np.ascontiguousarray(picture[:, : size[0], : size[1]])
    descriptor = load_model(small / f"{name}.pth")
    descriptor.model.to(memory_format=torch.channels_last)
    planes = torch.from_numpy(frame).permute(0, 3, 1, 2)
    plain = descriptor(planes).permute(0, 2, 3, 1).numpy()
    quick = QuickCompact(descriptor.model) if name == "compact" else LeanRRDB(descriptor.model)
    with torch.inference_mode():  # as it runs on a CPU: other roundings than torch's own convolutions
        made = quick(padded(planes, 1, descriptor.size_requirements.multiple_of).contiguous(memory_format=torch.channels_last))
    whole = made.clamp(0, 1).permute(0, 2, 3, 1).numpy()[:, : plain.shape[1], : plain.shape[2]]
    np.testing.assert_allclose(whole, plain, atol=2e-6)
    for tile in (0, 128, 4096):
        np.testing.assert_array_equal(resolve(small, model=name, tile=tile)(frame), whole)


@pytest.mark.parametrize("tile", [32, 50, 64, 100])
def test_tiles_of_a_local_network_give_the_whole_frame(tile, frames):
    np.testing.assert_allclose(enlarge(frames, Nearest(), tile=tile), frames.repeat(2, 1).repeat(2, 2), atol=1e-6)


@pytest.mark.parametrize("name", ["compact", "rrdb", "rrdb2"])
def test_tiled_is_close_to_untiled(name, small, picture):
    whole, cut = resolve(small, model=name)(picture), resolve(small, model=name, tile=48)(picture)
    assert np.abs(whole - cut).mean() < 2e-3 * whole.std()


@pytest.mark.parametrize("name", ["compact", "rrdb", "rrdb2"])
def test_no_seam_shows(name, small, picture):
    """The largest step across a cut is no larger than the largest step elsewhere, and what tiling changes has no jump at a cut."""
    whole, cut = (resolve(small, model=name, tile=tile)(picture)[0] for tile in (0, 48))
    scale = len(cut) // picture.shape[1]
    for axis, length in ((0, picture.shape[1]), (1, picture.shape[2])):
        cuts = [span.write[0] + 4 for span in spans(length, -(-length // 48))[1:]]
        steps = np.abs(np.diff(cut, axis=axis)).max(axis=1 - axis).max(-1)
        near = np.zeros(len(steps), bool)
        for c in cuts:
            near[(c - 5) * scale : (c + 5) * scale] = True
        assert steps[near].max() <= max(steps[~near].max(), np.abs(np.diff(whole, axis=axis)).max() * 1.02)
        jumps = np.abs(np.diff(cut - whole, axis=axis)).mean(axis=1 - axis).mean(-1)
        assert jumps[near].max() < 0.1 * steps.mean()


def test_strips_of_the_upsampling_half_change_nothing(small, monkeypatch):
    network = LeanRRDB(load_model(small / "rrdb.pth").model)
    x = torch.rand(2, 3, 70, 40)
    with torch.inference_mode():
        whole = network(x)
        monkeypatch.setattr(lean, "STRIP", 1)
        strips = network(x)
        plain = load_model(small / "rrdb.pth").model(x)
    torch.testing.assert_close(strips, plain, atol=2e-6, rtol=0)
    torch.testing.assert_close(whole, plain, atol=2e-6, rtol=0)


def test_strips_keep_the_memory_of_a_tile_small(small):
    """The largest tensor that the upsampling half makes stays near the budget of a strip, whatever the tile."""
    network = LeanRRDB(load_model(small / "rrdb.pth").model)
    largest = [0]
    for part in network.tail:
        part.register_forward_hook(lambda _m, _i, made: largest.__setitem__(0, max(largest[0], made.nelement() * 4)))
    with torch.inference_mode():
        network(torch.rand(1, 3, 192, 192))
    assert 0 < largest[0] <= 24 * 2**20 < 192 * 192 * 16 * network.trunk[0].out_channels * 4


# --- batches -------------------------------------------------------------------------------------------------------------------


def test_small_frames_run_together(frames):
    engine = Nearest(most=2 * 150 * 210 + 5)
    np.testing.assert_array_equal(enlarge(frames, engine), frames.repeat(2, 1).repeat(2, 2))
    assert engine.sizes == [(2, 150, 210), (1, 150, 210)]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["compact", "rrdb2", "gray"])
def test_frames_run_together_have_the_bits_of_frames_run_alone(name, precision, small, picture):
    clip = np.concatenate([picture, picture[:, ::-1], picture * 0.5, picture[:, :, ::-1], picture * 0.9])
    operation = resolve(small, model=name, precision=precision)
    np.testing.assert_array_equal(operation(clip), np.concatenate([operation(clip[i : i + 1]) for i in range(5)]))


# --- out of memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [MemoryError, RuntimeError, torch.cuda.OutOfMemoryError])
def test_out_of_memory_halves_the_tile_and_goes_on(error, frames, caplog):
    engine = Nearest(limit=90 * 90, error=error)
    np.testing.assert_allclose(enlarge(frames, engine), frames.repeat(2, 1).repeat(2, 2), atol=1e-6)
    assert max(h * w for _, h, w in engine.sizes) <= 90 * 90 and "memory is full" in caplog.text


def test_frames_that_were_done_are_not_done_again(frames):
    engine = Nearest()
    seen = []

    def start(tiles):
        if len(seen) == 1 and tiles.shape[2] == 150:
            raise MemoryError
        seen.append(tiles.shape)
        return Nearest.start(engine, tiles)

    engine.start, engine.most = start, 150 * 210
    enlarge(frames, engine)
    assert [s[2] for s in seen].count(150) == 1


def test_below_the_smallest_tile_the_error_goes_on(frames):
    engine = Nearest(limit=10)
    with pytest.raises(MemoryError):
        enlarge(frames, engine)
    assert SMALLEST == 32


def test_another_error_is_not_taken_for_a_full_memory(frames):
    with pytest.raises(KeyError):
        enlarge(frames, Nearest(limit=10, error=KeyError))


# --- reuse ---------------------------------------------------------------------------------------------------------------------


def test_an_unchanged_frame_costs_nothing(frames):
    engine = Nearest()
    still = np.repeat(frames[:1], 4, 0)
    memory = {}
    made = enlarge(still, engine, tile=64, memory=memory)
    assert len(engine.sizes) == len(grid(150, 210, 64))
    np.testing.assert_array_equal(made, np.repeat(enlarge(still[:1], Nearest(), tile=64), 4, 0))


def test_only_the_tiles_that_see_a_change_are_computed_again(frames):
    engine, moving = Nearest(), np.repeat(frames[:1], 2, 0)
    moving[1, 5, 5] = 0.5
    made = enlarge(moving, engine, tile=64, memory={})
    assert len(engine.sizes) == len(grid(150, 210, 64)) + 1
    np.testing.assert_array_equal(made, enlarge(moving, Nearest(), tile=64))


def test_what_is_remembered_carries_over_to_the_next_chunk(frames):
    engine, memory = Nearest(), {}
    enlarge(frames[:1], engine, tile=64, memory=memory)
    before = len(engine.sizes)
    enlarge(frames[:1], engine, tile=64, memory=memory)
    assert len(engine.sizes) == before
    enlarge(frames[:1, :100], engine, tile=64, memory=memory)  # another size: nothing of the old one stays
    assert {key[0] for key in memory} == {(100, 210, 3)}


@pytest.mark.parametrize("name", ["compact", "rrdb2"])
def test_reuse_gives_the_same_bits(name, small, picture):
    clip = np.repeat(picture, 4, 0)
    clip[2, 60:70, 100:110] *= 0.7
    off, on = (resolve(small, model=name, tile=48, reuse=reuse) for reuse in (False, True))
    np.testing.assert_array_equal(on(clip), off(clip))
    np.testing.assert_array_equal(on(clip[2:]), off(clip)[2:])


# --- progress ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"tile": 64}])
def test_progress_grows_to_its_end(options, frames):
    calls = []
    enlarge(frames, Nearest(most=150 * 210), progress=lambda done, total: calls.append((done, total)), **options)
    assert calls[-1][0] == calls[-1][1] and [d for d, _ in calls] == sorted(d for d, _ in calls) and len(calls) >= 3


def test_cancel_stops_after_the_tile(frames):
    engine = Nearest()

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enlarge(frames, engine, progress=cancel, tile=64)
    assert len(engine.sizes) == 1


def test_the_engine_holds_its_network_through_the_runtime(small):
    held = []

    @contextmanager
    def hold(network, memory):
        held.append(memory)
        yield network

    with TorchEngine(load_model(small / "compact.pth"), "auto", Runtime(hold=hold)).session() as start:
        assert start(torch.rand(1, 3, 8, 8)).wait().shape == (1, 3, 32, 32)
    assert held and held[0] > 0
