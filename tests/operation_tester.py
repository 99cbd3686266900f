"""What every operation on frames promises, tested once; a test class derives from `OperationTester` and names its variants."""
from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

from talkies.core import parallel
from talkies.core.arrays import ArrayError, to_frames
from talkies.core.catalogue import operation_from_json
from talkies.core.masked import Mask, Masked
from talkies.core.operation import Operation, cut, run, stream
from talkies.core.settings import SettingError, settings_of


def made_clip(count: int = 6, height: int = 24, width: int = 32, channels: int = 3, seed: int = 1) -> np.ndarray:
    """A moving picture with an edge, texture, a ramp and noise, ``[B,H,W,C]`` float32 in 0..1."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    clip = np.empty((count, height, width, channels), np.float32)
    for i in range(count):
        texture = 0.1 * np.sin((columns + 2 * i) / 2) * np.cos(rows / 3)
        picture = 0.3 + 0.3 * (columns + i > width / 2) + texture + 0.1 * rows / height
        clip[i] = picture[..., None] * np.linspace(0.8, 1.1, channels, dtype=np.float32)
    return np.clip(clip + rng.normal(0, 0.02, clip.shape), 0, 1).astype(np.float32)


class CancelledError(Exception):
    """What a user's cancel raises."""


def _float_inputs(clip: np.ndarray) -> dict[str, object]:
    strided = np.empty((*clip.shape[:2], 2 * clip.shape[2], clip.shape[3]), np.float32)[:, :, ::2]
    strided[...] = clip
    return {
        "float16": clip.astype(np.float16),
        "float64": clip.astype(np.float64),
        "big-endian": clip.astype(">f4"),
        "bool": clip > 0.5,
        "uint8": (clip * 255).astype(np.uint8),
        "uint16": (clip * 65535).astype(np.uint16),
        "strided": strided,
        "reversed": clip[::-1, :, ::-1],
        "fortran": np.asfortranarray(clip),
        "one frame": clip[0],
        "tensor": torch.tensor(clip),
        "bfloat16": torch.tensor(clip, dtype=torch.bfloat16),
        "half": torch.tensor(clip, dtype=torch.float16),
        "grad": torch.tensor(clip, requires_grad=True),
        "channels first in memory": torch.tensor(clip.transpose(0, 3, 1, 2).copy()).permute(0, 2, 3, 1),
    }


class OperationTester:
    """Derive from it, and give the operations to test as `variants`."""

    variants: tuple[Operation, ...] = ()

    def pytest_generate_tests(self, metafunc):
        if "op" in metafunc.fixturenames:
            metafunc.parametrize("op", self.variants, ids=[_name(op) for op in self.variants])

    def ready(self, op, clip):
        """The operation with what it needs to learn of the clip."""
        return op.survey([(0, to_frames(clip, finite=False))]) if op.needs_survey else op

    # --- shapes and kinds of input

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_cardinality(self, op, count, channels):
        clip = made_clip(count, channels=channels)
        out = run(op, clip)
        assert out.shape == (count, *op.output_size(*clip.shape[1:3]), channels)
        assert out.dtype == np.float32 and out.flags.c_contiguous and np.isfinite(out).all()

    @pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (7, 1), (2, 2), (5, 3), (17, 31)])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_sizes(self, op, height, width, channels):
        out = run(op, made_clip(2, height, width, channels))
        assert out.shape == (2, *op.output_size(height, width), channels)
        assert np.isfinite(out).all()

    @pytest.mark.parametrize("kind", list(_float_inputs(made_clip(1, 2, 2))))
    def test_input_kind_gives_what_its_float32_twin_gives(self, op, kind):
        given = _float_inputs(made_clip())[kind]
        assert np.array_equal(run(op, given), run(op, to_frames(given).copy()))

    def test_refuses_what_is_no_clip(self, op):
        clip = made_clip()
        for wrong in (clip[0, 0], clip[None], clip[:0], clip[:, :0], clip[..., :2], "clip", clip.astype(np.complex64)):
            with pytest.raises(ArrayError, match=type(op).__name__):
                op(wrong)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_refuses_values_that_are_no_numbers(self, op, bad):
        clip = made_clip()
        clip[4, 3, 2, 1] = bad
        if op.accepts_nonfinite:
            assert np.isfinite(run(op, clip)).all()
            return
        with pytest.raises(ArrayError, match=r"frame 4 holds 1 .* row 3, column 2"):
            op(clip)

    # --- what it leaves alone

    def test_changes_something(self, op):
        clip = made_clip()
        assert not np.array_equal(run(op, clip), clip)

    def test_input_is_never_written_to(self, op):
        clip = made_clip()
        before = clip.copy()
        run(op, clip)
        assert np.array_equal(clip, before)
        clip.flags.writeable = False
        run(op, clip)

    def test_output_is_not_the_input(self, op):
        clip = made_clip()
        assert not np.shares_memory(run(op, clip), clip)

    def test_alpha_passes_untouched(self, op):
        if op.scale != 1:
            pytest.skip("the frame size changes")
        clip = made_clip(channels=4)
        out = run(op, clip)
        assert np.array_equal(out[..., 3], clip[..., 3])
        assert np.array_equal(out[..., :3], run(op, clip[..., :3]))

    def test_mask_is_exact(self, op):
        if op.scale != 1:
            pytest.skip("the frame size changes")
        clip = made_clip()
        mask = np.zeros(clip.shape[:3], np.float32)
        mask[:, :, 8:16], mask[:, :, 16:20] = 1, 0.25
        whole, part = run(op, clip), run(Masked(operation=op, mask=Mask(mask)), clip)
        assert np.array_equal(part[mask == 0], clip[mask == 0])
        assert np.array_equal(part[mask == 1], whole[mask == 1])
        between = mask == 0.25
        assert np.allclose(part[between], 0.75 * clip[between] + 0.25 * whole[between], atol=1e-6)

    # --- what it does not depend on

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
    def test_cuts_do_not_show(self, op, size):
        clip = made_clip()
        ready = self.ready(op, clip)
        parts = list(stream(ready, cut(clip, size)))
        assert [start for start, _ in parts] == list(np.cumsum([0, *(len(p) for _, p in parts[:-1])]))
        assert np.array_equal(np.concatenate([p for _, p in parts]), run(op, clip))

    @pytest.mark.parametrize("workers", [1, 3])
    def test_threads_do_not_show(self, op, workers, monkeypatch):
        clip = made_clip(7)
        expected = run(op, clip)
        monkeypatch.setattr(parallel, "worker_count", lambda: workers)
        assert np.array_equal(run(op, clip), expected)

    def test_opencv_keeps_its_threads(self, op):
        threads = cv2.getNumThreads()
        run(op, made_clip())
        assert cv2.getNumThreads() == threads

    # --- progress and cancel

    def test_progress_ends_at_the_total(self, op):
        calls: list[tuple[int, int]] = []
        run(op, made_clip(), lambda done, total: calls.append((done, total)))
        assert calls and calls[-1][0] == calls[-1][1] and calls == sorted(calls)

    def test_cancel_stops_it(self, op):
        clip = made_clip(40, 8, 8)
        calls: list[int] = []

        def cancel(done, total):
            calls.append(done)
            raise CancelledError

        ready = self.ready(op, clip)
        with pytest.raises(CancelledError):
            ready(clip, 0, cancel)
        assert len(calls) == 1

    # --- settings

    def test_json_round_trip(self, op):
        clip = made_clip()
        back = operation_from_json(json.loads(json.dumps(op.to_json())))
        assert back == op and hash(back) == hash(op)
        assert np.array_equal(run(back, clip), run(op, clip))

    def test_what_a_survey_learnt_survives_json(self, op):
        clip = made_clip()
        ready = self.ready(op, clip)
        back = operation_from_json(json.loads(json.dumps(ready.to_json())))
        assert np.array_equal(back(clip[2:4], 2), ready(clip[2:4], 2))

    def test_settings_out_of_range_are_refused_by_name(self, op):
        for entry in settings_of(type(op)):
            wrong = [float("nan"), "nothing"] if entry.kind in ("float", "int") else [7.5]
            wrong += [entry.low - 1] if entry.low is not None else []
            wrong += [entry.high + 1] if entry.high is not None else []
            for value in wrong:
                with pytest.raises(SettingError, match=f"{type(op).__name__}: {entry.name} is .*; it must be "):
                    type(op)(**{entry.name: value})

    def test_settings_say_what_they_do(self, op):
        assert settings_of(type(op))
        for entry in settings_of(type(op)):
            assert entry.help.endswith(".") and len(entry.help) > 10, entry.name


def _name(op: Operation) -> str:
    defaults = {s.name: s.default for s in settings_of(type(op))}
    shown = {k: "..." if isinstance(v, dict) else v for k, v in op.to_json().items()}
    return ",".join(f"{k}={v}" for k, v in shown.items() if k != "op" and v != defaults.get(k)) or "defaults"
