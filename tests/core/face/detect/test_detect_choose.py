"""Which face is chosen, and that it stays the same one."""
from __future__ import annotations

import math

import numpy as np
import pytest

from talkies.core.face.detect.choose import FaceChoice, Follower
from talkies.core.face.detect.interface import Detection


def face(x, y=100.0, size=80.0, score=0.9):
    points = np.array([[x, y]]) + size * np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0.05], [-0.2, 0.25], [0.2, 0.25]])
    return Detection(points, "points5", (x - size / 2, y - size / 2, x + size / 2, y + size / 2), score)


def follow(frames, **choice):
    follower = Follower(FaceChoice(**choice))
    for faces in frames:
        follower.step(faces)
    return follower


def places(follower):
    return [None if f is None else round(f.centre[0]) for f in follower.chosen]


LEFT, RIGHT = 100.0, 400.0


def test_identity_is_held_while_the_sizes_of_two_faces_swap():
    frames = [[face(LEFT, size=120 - t), face(RIGHT, size=60 + t)] for t in range(60)]
    assert places(follow(frames)) == [100] * 60


def test_identity_is_held_when_the_detector_changes_the_order_and_the_scores():
    rng = np.random.default_rng(0)
    frames = [list(rng.permutation(np.array([face(LEFT, score=rng.random()), face(RIGHT, score=rng.random())], object))) for _ in range(40)]
    assert len(set(places(follow(frames, min_score=0.0)))) == 1


@pytest.mark.parametrize(("choice", "expected"), [
    ({"rule": "largest"}, 400), ({"rule": "best"}, 250), ({"rule": "index", "index": 0}, 100), ({"rule": "index", "index": 1}, 250),
    ({"rule": "nearest", "point": (120.0, 90.0)}, 100), ({"rule": "largest", "min_size": 85.0}, 400),
    ({"rule": "index", "index": 0, "min_score": 0.7}, 250),
])
def test_rules(choice, expected):
    frame = [face(LEFT, size=70, score=0.6), face(250, size=80, score=0.99), face(RIGHT, size=90, score=0.7)]
    assert places(follow([frame], **choice)) == [expected]


def test_small_and_uncertain_faces_are_never_taken():
    assert places(follow([[face(LEFT, size=20)], [face(LEFT, score=0.1)]], min_size=32.0, min_score=0.3)) == [None, None]


def test_a_face_that_is_away_for_a_moment_is_not_replaced_by_its_neighbour():
    frames = [[face(LEFT), face(RIGHT)]] * 3 + [[face(RIGHT)]] * 4 + [[face(LEFT), face(RIGHT)]] * 3
    follower = follow(frames, rule="nearest", point=(LEFT, 100.0), patience=6)
    assert places(follower) == [100] * 3 + [None] * 4 + [100] * 3
    assert follower.switches == []


def test_another_face_that_stays_is_taken_from_the_frame_in_which_it_came():
    frames = [[face(LEFT)]] * 5 + [[face(RIGHT, size=200)]] * 10
    follower = follow(frames, patience=6)
    assert places(follower) == [100] * 5 + [400] * 10
    assert follower.switches == [5]


def test_a_false_hit_takes_over_nothing():
    frames = [[face(LEFT)]] * 5 + [[face(RIGHT)], [], [face(250)], [face(RIGHT)], []] + [[face(LEFT)]] * 2
    assert places(follow(frames, patience=3)) == [100] * 5 + [None] * 5 + [100] * 2


def test_every_face_is_asked_for_while_another_one_is_about_to_take_over():
    follower = follow([[face(LEFT)]])
    assert follower.near is follower.chosen[0]
    follower.step([face(RIGHT)])
    assert follower.near is None
    follower.step([face(LEFT)])
    assert follower.near is follower.chosen[-1]


def test_a_face_that_walks_is_followed_across_the_frame():
    frames = [[face(100 + 30 * t, 100 + 10 * math.sin(t)), face(500)] for t in range(12)]
    assert places(follow(frames, rule="index", index=0)) == [100 + 30 * t for t in range(12)]
