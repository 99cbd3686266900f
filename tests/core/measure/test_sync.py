"""Sync: the offset of lips and sound is found, on made series and on real clips, and SyncNet's figures are computed as published."""
from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from talkies.core.face.track import track_from_points
from talkies.core.measure.mfcc import mfcc
from talkies.core.measure.sync import RATE, mouth_motion, speech_energy, sync
from talkies.core.measure.syncnet import SyncNet, compared, face_crop, load_syncnet, sync_score
from talkies.core.weights import WeightsError

FPS = Fraction(25)


def syllables(count: int, seed: int = 0) -> np.ndarray:
    """A made opening of the mouth, ``[T]``: bumps at irregular times, about four a second."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(4, 9, count // 4))
    return np.exp(-(((np.arange(count)[:, None] - times) / 1.6) ** 2)).sum(1) * 0.3 + rng.normal(0, 0.03, count)


def spoken(opening: np.ndarray, fps: float = 25.0, rate: int = 22050, seed: int = 1) -> np.ndarray:
    """Noise as loud as the mouth is open, ``[1,T]``."""
    length = round(len(opening) * rate / fps)
    level = np.interp(np.arange(length) * fps / rate, np.arange(len(opening)) + 0.5, opening.clip(0))
    return (0.3 * level * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)[None]


def delayed(sound: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    shift = round(seconds * rate)
    pad = np.zeros((len(sound), abs(shift)), np.float32)
    return np.concatenate((pad, sound[:, :-shift]), 1) if shift > 0 else np.concatenate((sound[:, -shift:], pad), 1) if shift else sound


@pytest.mark.parametrize("shift", [-6, -1, 0, 3, 6])
@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001)])
def test_a_made_shift_is_found_exactly(shift, fps):
    opening = syllables(200)
    sound = delayed(spoken(opening, float(fps)), shift / float(fps), 22050)
    found = sync(opening, speech_energy(sound, 22050, Fraction(fps), 200), Fraction(fps))
    assert found.offset == shift and found.confidence > 0.3 and found.correlation > 0.7
    assert found.correlations[15 + shift] == found.correlation and len(found.correlations) == 31
    assert found.report().figures["sound late (frames)"] == shift


def test_sound_that_does_not_belong_is_told_by_its_confidence():
    opening, other = syllables(300), spoken(syllables(300, seed=9))
    right = sync(opening, speech_energy(spoken(opening), 22050, FPS, 300), FPS)
    wrong = sync(opening, speech_energy(other, 22050, FPS, 300), FPS)
    assert wrong.confidence < 0.5 * right.confidence and wrong.correlation < 0.5 * right.correlation


def test_what_cannot_be_compared_is_refused():
    opening = syllables(100)
    with pytest.raises(ValueError, match="sound is silent"):
        sync(opening, speech_energy(np.zeros((1, 88200), np.float32), 22050, FPS, 100), FPS)
    with pytest.raises(ValueError, match="at least 40"):
        sync(opening[:39], opening[:39], FPS)
    with pytest.raises(ValueError, match="mouth does not move"):
        sync(np.ones(100), opening, FPS)
    five = track_from_points([np.array([[0.0, 0], [10, 0], [5, 5], [2, 10], [8, 10]])] * 3, "points5", (64, 64), FPS)
    with pytest.raises(ValueError, match="cannot tell an open mouth"):
        mouth_motion(five)


def test_energy_lies_in_the_frame_that_sounds_and_ends_with_the_sound():
    sound = np.zeros((2, 16000), np.float32)
    sound[:, 640 * 5 : 640 * 6] = np.sin(np.arange(640) * 2 * np.pi * 2000 / 16000)
    energy = speech_energy(sound, RATE, FPS, 40)
    assert energy.argmax() == 5 and len(energy) == 40 and np.all(energy[26:] == energy[-1])


@pytest.fixture(scope="module")
def real(shared):
    """Each clip's motion of the mouth by the mesh, and its own sound."""
    pytest.importorskip("ai_edge_litert")
    from talkies.core.face.find import FaceSearch, find_face
    from talkies.core.video.source import open_source
    from talkies.headless.sync import sound_of

    found = {}
    for name in ("talk1", "talk2"):
        path = shared / "media" / f"{name}.mp4"
        with open_source(path) as source:
            info = source.info
            runs = ((c.start, c.frames) for c in source.chunks(8))
            track = find_face(runs, (info.height, info.width), info.fps, FaceSearch(detector="mesh"), [shared / "weights"]).track
        found[name] = (mouth_motion(track), track.fps, *sound_of(path))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["talk1", "talk2"])
def test_real_clips_shifted_by_up_to_six_frames_are_found_within_one(name, real):
    motion, fps, sound, rate = real[name]
    for shift in range(-6, 7):
        found = sync(motion, speech_energy(delayed(sound, shift / float(fps), rate), rate, fps, len(motion)), fps)
        assert abs(found.offset - shift) <= 1, f"{name} shifted by {shift} was found at {found.offset}"
        assert found.confidence > 0.1


# --- SyncNet, with weights made here: the published ones are not at hand


def test_cepstra_are_python_speech_features():
    """Golden of python_speech_features 0.6 on a chirp: numbers 0, 1, 5 and 12 of windows 0, 40 and 98."""
    time = np.arange(16000) / 16000
    made = mfcc((0.4 * np.sin(2 * np.pi * (200 * time + 900 * time**2))).astype(np.float32))
    assert made.shape == (13, 99)
    expected = [[18.784367, 21.546204, 22.760277], [21.721523, 6.745099, 0.76096],
                [-7.528056, 14.957206, -17.795805], [-16.075921, 15.863878, 2.555351]]
    assert np.allclose(made[[0, 1, 5, 12]][:, [0, 40, 98]], expected, atol=2e-6)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SyncNet().eval().requires_grad_(False)


def test_the_layout_is_the_published_one(network):
    keys = network.state_dict()
    shapes = {"netcnnaud.0.weight": (64, 1, 3, 3), "netcnnaud.4.weight": (192, 64, 3, 3), "netcnnaud.18.weight": (512, 256, 5, 4),
              "netcnnlip.0.weight": (96, 3, 5, 7, 7), "netcnnlip.14.weight": (256, 256, 1, 3, 3),
              "netcnnlip.18.weight": (512, 256, 1, 6, 6),
              "netcnnlip.19.running_mean": (512,), "netfcaud.3.weight": (1024, 512), "netfclip.1.weight": (512,)}
    assert all(tuple(keys[key].shape) == shape for key, shape in shapes.items())
    assert network.see(torch.zeros(1, 3, 5, 224, 224)).shape == network.hear(torch.zeros(1, 1, 13, 20)).shape == (1, 1024)


def test_a_checkpoint_is_read_and_a_wrong_one_named(network, tmp_path):
    file = tmp_path / "syncnet_v2.model"
    plain = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(plain, file)
    again = load_syncnet(file)
    assert torch.equal(again.netfclip[3].weight, network.netfclip[3].weight) and not again.training
    torch.save({**plain, "netfcaud.3.weight": torch.zeros(3)}, file)
    with pytest.raises(WeightsError, match=r"netfcaud\.3\.weight has shape \[3\]"):
        load_syncnet(file)
    torch.save({"conv.weight": torch.zeros(3)}, file)
    with pytest.raises(WeightsError, match="has no netcnnaud"):
        load_syncnet(file)


def test_figures_of_embeddings_that_are_late():
    sounds = torch.randn(60, 8, generator=torch.Generator().manual_seed(1))
    lips = torch.cat((sounds[4:], torch.zeros(4, 8)))  # the sound of each frame comes four frames later
    found = compared(lips, sounds)
    assert found.offset == 4 and found.distance < 0.6 and found.confidence > 2
    assert "LSE-D" in found.report().figures


def test_the_score_runs_end_to_end_at_any_frame_rate(network):
    count = 14
    points = np.array([[30.0, 30], [50, 30], [40, 42], [33, 52], [47, 52]])
    track = track_from_points([points] * count, "points5", (80, 80), Fraction(50))
    clip = np.random.default_rng(0).random((count, 80, 80, 3)).astype(np.float32)
    sound = np.random.default_rng(1).standard_normal((1, 16000)).astype(np.float32) * 0.1
    whole, parts = (sync_score(network, runs, track, sound, 16000, batch=2)
                    for runs in ([(0, clip)], [(0, clip[:5]), (5, clip[5:])]))
    assert whole == parts and np.isfinite(whole.distance)
    with pytest.raises(ValueError, match="six frames"):
        sync_score(network, [(0, clip)], track, sound[:, :3000], 16000)


def test_the_crop_holds_the_face_and_gray_beyond():
    track = track_from_points([np.array([[3.0, 30], [23, 30], [13, 42], [6, 52], [20, 52]])], "points5", (80, 80), FPS)
    crop = face_crop(np.ones((80, 80, 3), np.float32), track, 0)
    assert crop.shape == (224, 224, 3) and crop[100, 5, 0] == pytest.approx(110 / 255, abs=1e-3) and crop[100, 180, 0] == 1
