"""The promise on real clips: the crop is steadier than unsmoothed, and much steadier than as published."""
from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from talkies.core.arrays import from_uint8
from talkies.core.face.align import AlignFace, align
from talkies.core.face.smooth.select import Smoothing, smooth
from talkies.core.face.track import track_from_points
from talkies.core.measure.motion import steadiness

FIRST = 100


@pytest.fixture(scope="module")
def clip(shared):
    """talk1, its first frames cut down to the face's surroundings, with the five points of a detector of another kind."""
    av = pytest.importorskip("av")
    goldens = np.load(shared / "goldens" / "align" / "golden_align.npz")
    points = goldens["real_scrfd5"][:FIRST]
    low, high = np.floor(points.min((0, 1)) - 160).astype(int), np.ceil(points.max((0, 1)) + 160).astype(int)
    frames = []
    with av.open(str(shared / "media" / "talk1.mp4")) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24")[low[1] : high[1], low[0] : high[0]])
            if len(frames) == FIRST:
                break
    frames = from_uint8(np.stack(frames))
    return frames, track_from_points(list(points - low), "points5", frames.shape[1:3], Fraction(25), detector="scrfd")


def measured(frames, track):
    return steadiness(AlignFace(track=track)(frames), track.local_cuts)


@pytest.mark.slow
def test_fused_beats_raw_by_25_percent_and_enhanced_by_40(clip):
    frames, raw = clip
    fused = smooth(raw, clip=iter([(0, frames)]))
    enhanced = smooth(raw, Smoothing(method="enhanced"))
    figures = {name: measured(frames, t) for name, t in (("fused", fused.track), ("raw", align(raw)), ("enhanced", enhanced.track))}
    assert figures["fused"].warp_mae <= 0.75 * figures["raw"].warp_mae
    assert figures["fused"].warp_mae <= 0.60 * figures["enhanced"].warp_mae
    assert figures["fused"].shake <= 0.6 < figures["raw"].shake
    assert fused.report.figures["pairs not followed (whittaker instead)"] == 0 and fused.track.cuts == ()


@pytest.mark.slow
def test_a_coarse_box_is_enough_for_a_steady_crop(clip):
    frames, raw = clip
    rng = np.random.default_rng(0)
    coarse = raw.points + rng.normal(0, 5, (FIRST, 1, 2))  # a box that jumps by 5 px
    rough = replace(raw, points=coarse, scheme="box", detector="builtin")
    fine, steady = (smooth(t, clip=iter([(0, frames)])).track for t in (raw, rough))
    best, found = measured(frames, fine), measured(frames, steady)
    assert found.shake <= max(0.6, 1.25 * best.shake) and found.warp_mae <= 1.25 * best.warp_mae
