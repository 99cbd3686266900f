"""Lips drawn into whole clips: what changes and what never does, however the clip is cut; bad input; shortcuts and their figures."""
from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from lips_tiny import TinyLips, face_clip, face_track, tiny_model, voice

from talkies.core.arrays import ArrayError
from talkies.core.catalogue import operation_from_json
from talkies.core.face import similarity
from talkies.core.face.track import TrackError
from talkies.core.lipsync import lip_json
from talkies.core.lipsync.finish import FinishSettings
from talkies.core.lipsync.ledger import Ledger
from talkies.core.lipsync.lip_sync import LipSync
from talkies.core.lipsync.model import LipModel, Remembered
from talkies.core.masked import Mask
from talkies.core.operation import Chain, cut, run, stream
from talkies.core.restore.sharpen import Sharpen
from talkies.core.settings import SettingError
from talkies.core.upscale.super_resolve import SuperResolve

pytestmark = pytest.mark.usefixtures("one_thread")

COUNT = 7


def lips(model=None, track=None, **changed) -> LipSync:
    return LipSync(**{"preset": "fast", **changed}, track=track or face_track(COUNT), sound=changed.pop("sound", None) or voice(),
                   model=model or tiny_model())


@pytest.fixture(scope="module")
def clip():
    return face_clip(COUNT)


def masks_of(op, clip):
    faces = op.faces(clip, 0)
    out, masks = clip.copy(), np.zeros(clip.shape[:3], np.float32)
    op.put_back(out, 0, faces, masks)
    return out, masks


class TestWhatChanges:
    def test_only_the_mask_does_and_it_lies_in_the_lower_half(self, clip):
        op = lips()
        out, masks = masks_of(op, clip)
        assert np.array_equal(out, op(clip)) and 0.02 < (masks > 0).mean() < 0.5
        assert np.array_equal(out[masks == 0], clip[masks == 0])
        assert (out[masks > 0.5] != clip[masks > 0.5]).mean() > 0.9
        middle = similarity.apply(similarity.invert(op.cutter.matrix(0))[None], np.array([[0, 63.0], [127, 63.0]]))[0, :, 1].max()
        assert not masks[0, : int(middle)].any(), "something of the upper face was drawn"
        assert op.track.points[0, 2, 1] - 8 < middle < op.track.points[0, 3, 1], "the half lies between the nose and the mouth"

    def test_alpha_and_gray_frames_are_taken(self):
        rgba = face_clip(2, channels=4)
        out = lips()(rgba)
        assert np.array_equal(out[..., 3], rgba[..., 3]) and np.array_equal(out[..., :3], lips()(rgba[..., :3].copy()))
        assert lips()(face_clip(2, channels=1)).shape == (2, 160, 200, 1)

    def test_an_own_mask_confines_it(self, clip):
        mask = np.zeros((1, 160, 200), np.float32)
        mask[:, 90:110, 90:110] = 1
        out = replace(lips(), within=Mask(mask))(clip)
        changed = (out != clip).any(-1)
        assert changed[:, 95:105, 95:105].mean() > 0.9 and not changed[:, mask[0] == 0].any()

    def test_the_mouth_alone(self, clip):
        half, mouth = (masks_of(lips(mask_mode=mode), clip)[1] for mode in ("lower_half", "lips"))
        assert 0 < (mouth > 0).sum() < 0.6 * (half > 0).sum() and not (mouth > half + 1e-6).any()

    def test_it_follows_the_sound_and_the_seed(self, clip):
        plain = lips()(clip)
        assert not np.array_equal(plain, lips(seed=8)(clip))
        other = LipSync(preset="fast", track=face_track(COUNT), sound=voice(seed=9), model=tiny_model())(clip)
        assert not np.array_equal(plain, other)

    def test_the_original_crop_is_another(self, clip):
        aligned, original = lips()(clip), lips(crop="original")(clip)
        assert not np.array_equal(aligned, original)
        out, masks = masks_of(lips(crop="original"), clip)
        assert np.array_equal(out[masks == 0], clip[masks == 0])


class TestWhatItDoesNotDependOn:
    @pytest.mark.parametrize("changed", [{}, {"preset": "auto", "bound": 0.3}, {"reference": "closed"}, {"warm_start": 0.5},
                                         {"reuse": 3}, {"crop": "original"}], ids=str)
    @pytest.mark.parametrize("size", [1, 2, 3, 5])
    def test_where_the_clip_is_cut(self, clip, changed, size):
        ready = lips(**changed)
        ready = ready.survey([(0, clip)]) if ready.needs_survey else ready
        whole = ready(clip)
        again = replace(ready, model=tiny_model())
        parts = list(stream(again, cut(clip, size)))
        assert np.array_equal(np.concatenate([frames for _, frames in parts]), whole)

    def test_what_was_drawn_before(self, clip):
        model = tiny_model()
        first = lips(model)(clip)
        asked = len(model.network.asked)
        assert np.array_equal(lips(model)(clip), first) and len(model.network.asked) == asked, "a known face was drawn again"
        sharper = replace(lips(model), finish=FinishSettings(sharpening_strength=0.8).chain())(clip)
        assert len(model.network.asked) == asked and not np.array_equal(sharper, first)

    def test_memory_of_faces_is_bounded(self):
        remembered = Remembered(most=3)
        for i in range(10):
            remembered.put(bytes([i]), None)
        assert len(remembered) == 3 and remembered.get(bytes([0])) is None

    def test_json_tells_all_of_it(self, clip, monkeypatch, tmp_path):
        model = LipModel(TinyLips(), "tiny", path=tmp_path / "tiny.pt")
        monkeypatch.setattr(lip_json, "open_model", lambda path: model)
        op = replace(lips(model, preset="auto", bound=0.3, reference="first"), finish=Chain((Sharpen(0.4),)))
        ready = op.survey([(0, clip)])
        back = operation_from_json(json.loads(json.dumps(ready.to_json())))
        assert back == ready and hash(back) == hash(ready)
        assert np.array_equal(back(clip), ready(clip))
        with pytest.raises(SettingError, match="came from no file"):
            lips().to_json()


class TestFaces:
    def test_a_frame_without_one_passes_and_is_told(self, clip):
        ledger = Ledger()
        op = replace(lips(track=face_track(COUNT, missing=(2, 3, 5))), ledger=ledger)
        out = op(clip)
        same = [np.array_equal(a, b) for a, b in zip(out, clip, strict=True)]
        assert same == [i in (2, 3, 5) for i in range(COUNT)]
        figures = ledger.report("x", {}).figures
        assert figures["passed frames"] == "2-3, 5" and figures["frames drawn"] == 4 and figures["evaluations a frame"] == 10

    def test_short_gaps_are_bridged_on_demand(self, clip):
        track = face_track(COUNT, missing=(0, 2, 3, 5))
        out = lips(track=track, bridge=1)(clip)
        assert [np.array_equal(a, b) for a, b in zip(out, clip, strict=True)] == [i in (0, 2, 3) for i in range(COUNT)]

    def test_none_at_all_changes_nothing(self, clip):
        track = replace(face_track(COUNT), found=np.zeros(COUNT, bool))
        for changed in ({}, {"preset": "auto"}, {"warm_start": 0.5}):
            assert np.array_equal(run(lips(track=track, **changed), clip), clip)
        with pytest.raises(SettingError, match="was found in none"):
            lips(track=track).require_face()

    def test_another_clip_than_the_tracked_one_is_refused(self, clip):
        with pytest.raises(TrackError, match="use the clip that was tracked"):
            lips()(face_clip(2, height=80))
        with pytest.raises(TrackError, match=r"covers frames 0 to 6, not frame \d+"):
            lips()(np.concatenate((clip, clip)))

    def test_nan_is_refused_by_place(self, clip):
        bad = clip.copy()
        bad[3, 5, 6, 1] = np.nan
        with pytest.raises(ArrayError, match=r"LipSync: images: frame 3 holds 1 NaN value, the first at row 5, column 6"):
            lips()(bad)

    def test_one_frame_is_enough(self):
        clip = face_clip(1)
        for changed in ({}, {"preset": "auto"}, {"warm_start": 0.5}, {"reference": "closed"}):
            assert run(lips(track=face_track(1), **changed), clip).shape == clip.shape

    @pytest.mark.parametrize("reference", ["first", "random", "index", "closed"])
    def test_a_reference_is_one_face_for_all(self, clip, reference):
        ready = lips(reference=reference, reference_index=4).survey(cut(clip, 2))
        index = dict(ready.learnt.figures)["reference frame"]
        assert np.array_equal(ready.learnt.reference, ready.cutter.faces(clip, 0)[index])
        assert index == {"first": 0, "index": 4}.get(reference, index)
        assert not np.array_equal(ready(clip), lips()(clip))

    def test_a_reference_without_a_face_is_refused(self, clip):
        with pytest.raises(TrackError, match="Frame 2 was chosen"):
            lips(track=face_track(COUNT, missing=(2,)), reference="index", reference_index=2).survey([(0, clip)])


class TestWork:
    def test_progress_counts_every_evaluation_and_shows_the_face(self, clip):
        calls, shown = [], []
        op = replace(lips(), preview=shown.append)
        op(clip, 0, lambda done, total: calls.append((done, total)))
        assert len(shown) == 10 * COUNT and shown[0].shape == (128, 128, 3) and 0 <= shown[0].min() <= shown[0].max() <= 1
        assert calls == sorted(calls) and calls[-1] == (10 * COUNT, 10 * COUNT) and len(set(calls)) > 60

    def test_a_cancel_stops_within_a_step(self, clip):
        model = tiny_model()

        def cancel(done, total):
            if done >= 13:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            lips(model)(clip, 0, cancel)
        assert len(model.network.asked) == 13 and len(model.remembered) == 1

    def test_out_of_memory_goes_on_with_half(self, clip, monkeypatch, caplog):
        monkeypatch.setattr(LipModel, "faces_at_once", lambda self, batch, device, dtype: 6)
        model = tiny_model(fails_above=3)
        out = lips(model)(clip)
        assert set(model.network.asked) == {3, 1} and "goes on with 3 faces" in caplog.text
        assert np.abs(out - lips()(clip)).max() < 1e-5

    def test_out_of_memory_for_one_face_is_an_error(self, clip):
        with pytest.raises(MemoryError):
            lips(tiny_model(fails_above=0))(clip)

    def test_micro_batches_come_from_free_memory(self):
        gpu = torch.device("cuda")
        model = replace(tiny_model(), free=lambda device: 4 * 2**30)
        assert 8 <= model.faces_at_once(0, gpu, torch.float32) < model.faces_at_once(0, gpu, torch.bfloat16) <= 32
        assert model.faces_at_once(3, gpu, torch.float32) == 3
        assert model.faces_at_once(9, torch.device("cpu"), torch.float32) == 1
        assert replace(model, free=lambda device: 1).faces_at_once(0, gpu, torch.float32) == 1

    def test_auto_says_what_it_used(self, clip):
        ledger = Ledger()
        op = replace(lips(preset="auto", bound=0.2), ledger=ledger)
        ready = op.survey([(0, clip)])
        ready(clip)
        figures = ledger.report("x", dict(ready.learnt.figures)).figures
        assert "evaluations a frame at t =" in figures["auto"] and 6 <= figures["evaluations a frame"] <= 50
        assert figures["estimated error, worst (-1..1)"] < 0.5

    def test_another_sampler_and_number_can_be_asked_for(self, clip):
        model = tiny_model()
        lips(model, sampler="adams", evaluations=6)(clip)
        assert len(model.network.asked) == 6 * COUNT
        with pytest.raises(ValueError, match="No whole stride"):
            lips(sampler="ddim", evaluations=70)


class TestFinish:
    def test_colours_are_brought_to_the_sources_by_one_match(self, clip):
        finish = FinishSettings(sharpening_strength=0, color_match=1.0)
        ready = replace(lips(), finish=finish.chain()).survey(cut(clip, 3))
        faces, plain, matched = ready.cutter.faces(clip, 0), lips().faces(clip, 0), ready.faces(clip, 0)
        lower = np.s_[:, 72:]
        apart = [np.abs((made[lower] - faces[lower]).mean((0, 1, 2))).max() for made in (plain, matched)]
        assert apart[1] < 0.5 * apart[0]
        assert len({ready.finish.operations[0].source.values[i].tobytes() for i in range(COUNT)}) == 1

    def test_calming_asks_for_neighbours_and_draws_none_twice(self, clip):
        model = tiny_model()
        calm = replace(lips(model), finish=FinishSettings(temporal_consistency=1.0).chain())
        assert calm.radius == 2
        parts = np.concatenate([frames for _, frames in stream(calm, cut(clip, 2))])
        assert len(model.network.asked) == 10 * COUNT
        assert np.array_equal(parts, calm(clip)) and not np.array_equal(parts, lips()(clip))

    def test_the_mouth_is_enlarged_by_a_model(self, clip, monkeypatch):
        seen = []

        def twice(self, frames, start, progress):
            seen.append((frames.shape, self.region.at(0, 128, 128)))
            return frames.repeat(2, 1).repeat(2, 2)

        monkeypatch.setattr(SuperResolve, "apply", twice)
        chain = FinishSettings(sharpening_strength=0, super_resolution=True).chain()
        op = replace(lips(), finish=chain)
        assert np.abs(op(clip) - lips()(clip)).mean() < 0.02 and op.faces(clip, 0).shape == (COUNT, 256, 256, 3)
        shape, region = seen[0]
        assert shape == (COUNT, 128, 128, 3) and not region[:64].any() and region[64:].all()

    def test_the_order_is_the_one_told(self):
        chain = FinishSettings(0.3, True, "x.pth", 0.5, 0.5).chain()
        assert [type(op).__name__ for op in chain.operations] == ["Sharpen", "SuperResolve", "ColorMatch", "TemporalConsistency"]
        assert FinishSettings(0.0).chain().identity


class TestShortcuts:
    def test_deep_features_are_reused_and_the_distance_told(self, clip):
        model = tiny_model()
        ready = lips(model, reuse=2).survey([(0, clip)])
        model.network.deep_asked = 0
        model.network.asked.clear()
        assert not np.array_equal(ready(clip), lips()(clip))
        assert model.network.deep_asked == pytest.approx(len(model.network.asked) / 2)
        told = dict(ready.learnt.figures)
        exact, short = (lips(reuse=n).drawn(clip[3:4], 3)[0, 64:] for n in (1, 2))
        assert told["shortcut: rms distance from the exact mouth (0..1)"] == pytest.approx(float(np.sqrt(np.mean((exact - short) ** 2))))

    def test_a_warm_start_leaves_steps_out_and_tells(self, clip):
        ledger = Ledger()
        ready = replace(lips(warm_start=0.5), ledger=ledger).survey([(0, clip)])
        ready(clip)
        assert [ledger.evaluations[i] for i in range(COUNT)] == [10, 5, 5, 5, 10, 5, 5]
        told = dict(ready.learnt.figures)
        assert told["shortcut: evaluations, of the exact ones (%)"] == 75
        assert told["shortcut: rms distance from the exact mouth (0..1)"] > 0

    def test_a_warm_start_does_not_cross_a_cut(self, clip):
        ledger = Ledger()
        track = replace(face_track(COUNT), cuts=(2,))
        replace(lips(track=track, warm_start=0.5), ledger=ledger)(clip)
        assert [ledger.evaluations[i] for i in range(4)] == [10, 5, 10, 10]

    def test_without_them_nothing_is_measured(self, clip):
        assert not lips().needs_survey and lips(reuse=2).needs_survey and lips(warm_start=0.2).needs_survey


@settings(max_examples=12, deadline=None)
@given(some.integers(1, 9), some.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(8)]),
       some.floats(0.02, 2.0))
def test_as_many_frames_come_out_at_any_rate_and_length_of_sound(count, fps, seconds):
    clip = face_clip(count, 64, 80)
    op = LipSync(evaluations=2, sampler="dpm_2m", track=face_track(count, fps, height=64, width=80), sound=voice(seconds),
                 model=tiny_model())
    out = run(op, clip)
    assert out.shape == clip.shape and np.isfinite(out).all() and math.isclose(float(op.track.fps), float(fps))
