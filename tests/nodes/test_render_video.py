"""Render Video: a VIDEO of either kind through a chain, sound and all, to a file."""
from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from talkies.core.operation import Chain
from talkies.core.restore.sharpen import Sharpen
from talkies.core.video.source import open_source
from talkies.host.video_type import Components, VideoFromComponents, VideoFromFile
from talkies.nodes.render_video import RenderVideo

SETTINGS = {"codec": "ffv1", "quality": -1, "speed": "fast", "memory": 0}


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("talkies.nodes.render_video.temporary_folder", lambda: tmp_path)
    return tmp_path


def batch(frames=5, sound=True):
    images = torch.rand(frames, 32, 48, 3, generator=torch.Generator().manual_seed(0))
    audio = {"waveform": torch.sin(torch.arange(16000) / 20)[None, None], "sample_rate": 16000} if sound else None
    return images, VideoFromComponents(Components(images, Fraction(25), audio))


def frames_of(video):
    with open_source(video.get_stream_source()) as source:
        return np.concatenate([c.frames for c in source.chunks(9)]), source.info


@pytest.mark.parametrize("sound", [True, False])
def test_a_batch_becomes_a_file_with_its_sound(sound):
    images, video = batch(sound=sound)
    made, report = RenderVideo().run(video, Chain((Sharpen(0.5),)), **SETTINGS)["result"]
    frames, info = frames_of(made)
    np.testing.assert_allclose(frames, np.clip(Sharpen(0.5)(images), 0, 1), atol=0.5 / 255 + 1e-6)
    assert info.fps == 25 and report.figures["frames"] == 5
    assert (made.get_components().audio is not None) == sound


def test_a_file_is_streamed_and_its_sound_copied(temporary):
    _, video = batch()
    video.save_to(str(temporary / "in.mp4"))
    made, _ = RenderVideo().run(VideoFromFile(str(temporary / "in.mp4")), Chain(), **{**SETTINGS, "codec": "h264"})["result"]
    before, after = VideoFromFile(str(temporary / "in.mp4")).get_components(), made.get_components()
    assert torch.equal(before.audio["waveform"], after.audio["waveform"]) and len(before.images) == len(after.images)


def test_a_cancel_leaves_nothing(temporary, monkeypatch):
    def node_progress(title, node_id):
        def progress(done, total):
            raise KeyboardInterrupt
        return progress

    monkeypatch.setattr("talkies.nodes.render_video.node_progress", node_progress)
    with pytest.raises(KeyboardInterrupt):
        RenderVideo().run(batch()[1], Chain((Sharpen(0.5),)), **SETTINGS)
    assert list(temporary.iterdir()) == []
