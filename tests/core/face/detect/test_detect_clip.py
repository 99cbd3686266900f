"""A clip frame by frame: cuts, cancel, what is said when there is nothing."""
from __future__ import annotations

import numpy as np
import pytest

from talkies.core.face.detect.choose import FaceChoice
from talkies.core.face.detect.clip import detect_clip, without_outliers
from talkies.core.face.detect.interface import Detection, NoFaceError


def at(x, y, size=60.0, score=0.9):
    points = np.tile([[x, y]], (5, 1)) + np.arange(5)[:, None]
    return Detection(points, "points5", (x - size / 2, y - size / 2, x + size / 2, y + size / 2), score)


class Spot:
    """Finds the brightest pixel, near its last place if there is one: it depends on what it is handed as a region tracker does."""

    name, scheme, noise = "spot", "points5", 1.0

    def detect(self, frame, index, near):
        grey = frame[..., 0]
        if near is not None:
            x, y = (int(v) for v in near.centre)
            grey = np.zeros_like(grey)
            grey[max(y - 9, 0) : y + 10, max(x - 9, 0) : x + 10] = frame[max(y - 9, 0) : y + 10, max(x - 9, 0) : x + 10, 0]
        if grey.max() < 0.5:
            return []
        y, x = np.unravel_index(grey.argmax(), grey.shape)
        return [at(float(x), float(y), score=float(grey.max()))]


@pytest.fixture
def frames():
    clip = np.zeros((20, 80, 100, 3), np.float32)
    for t in range(20):
        if t not in (7, 8):
            clip[t, 40 + t % 3, 20 + 2 * t] = 1
    return clip


def run(frames, size, **more):
    return detect_clip([(5 + i, frames[i : i + size]) for i in range(0, len(frames), size)], Spot(), **more)


def same(one, other):
    return np.array_equal(one.points, other.points, equal_nan=True) and one.notes == other.notes


def test_the_result_does_not_depend_on_where_the_clip_is_cut(frames):
    whole = run(frames, 20)
    assert all(same(run(frames, size), whole) for size in range(1, 20))


def test_frames_without_a_face_are_none_counted_and_told(frames):
    clip = run(frames, 6)
    assert list(np.flatnonzero(~clip.found)) == [7, 8]
    assert np.isnan(clip.points[7]).all() and clip.scores[8] == 0
    assert clip.points.shape == (20, 5, 2) and (clip.width, clip.height, clip.start) == (100, 80, 5)
    assert "2 of 20 frames" in clip.notes[0]


def test_no_face_says_what_was_tried():
    tried = r"No face in 3 frames: tried the spot detector, faces of at least 48 px with a score of at least 0\.4"
    with pytest.raises(NoFaceError, match=tried):
        run(np.zeros((3, 8, 8, 3), np.float32), 3, choice=FaceChoice(min_size=48.0, min_score=0.4))


def test_no_face_says_how_far_off_the_best_was(frames):
    with pytest.raises(NoFaceError, match=r"best it saw had 60 px and a score of 1.00"):
        run(frames, 4, choice=FaceChoice(min_size=61.0))


def test_progress_counts_frames_and_may_cancel(frames):
    seen = []
    run(frames, 6, progress=lambda done, total: seen.append((done, total)), total=20)
    assert seen == [(i + 1, 20) for i in range(20)]

    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(frames, 6, progress=stop)


def test_a_change_of_size_and_an_empty_clip_are_refused(frames):
    with pytest.raises(ValueError, match="Frame 1 is 50 x 80 px after frames of 100 x 80"):
        detect_clip([(0, frames[:1]), (1, frames[1:2, :, :50])], Spot())
    with pytest.raises(ValueError, match="no frames"):
        detect_clip([], Spot())


def test_one_frame(frames):
    assert run(frames[:1], 1).found.tolist() == [True]


def test_a_jump_there_and_back_is_an_outlier_and_a_quick_nod_is_none():
    nod = [at(100 + 15 * np.sin(t / 2), 80.0, 60) for t in range(30)]
    assert without_outliers(nod) == (nod, 0)
    wild = list(nod)
    wild[10] = at(nod[10].centre[0] + 60, 80.0, 60)
    wild[20] = at(*nod[20].centre, 110)
    kept, dropped = without_outliers(wild)
    assert dropped == 2 and [i for i, f in enumerate(kept) if f is None] == [10, 20]


def test_a_scene_cut_is_no_outlier():
    cut = [at(100.0, 80.0)] * 9 + [at(400.0, 200.0, 150)] * 9
    assert without_outliers(cut) == (cut, 0)


def test_a_fast_walk_has_no_outliers_at_its_ends_nor_beside_a_gap():
    walk = [at(100.0 + 22 * t, 80.0) for t in range(20)]
    walk[9:12] = [None] * 3
    assert without_outliers(walk) == (walk, 0)


def test_outliers_at_the_ends_go():
    faces = [at(100.0, 80.0)] * 12
    kept, dropped = without_outliers([at(180.0, 80.0), *faces, at(100.0, 10.0)])
    assert dropped == 2 and kept[0] is None and kept[-1] is None
