"""Fixtures of the face tests: a moving face, recorded numbers, 68 points."""
from __future__ import annotations

import numpy as np
import pytest
from face_scenes import Scene, moving_face


@pytest.fixture(scope="session")
def scene() -> Scene:
    return moving_face()


@pytest.fixture(scope="session")
def goldens(shared):
    """Arrays recorded from the published code."""
    return np.load(shared / "goldens" / "align" / "golden_align.npz")


@pytest.fixture(scope="session")
def sixty_eight() -> np.ndarray:
    """68 points of a frontal face, ``[68,2]``, eyes 60 px apart, mouth a little open."""
    t = np.linspace(0, np.pi, 17)
    jaw = np.stack((100 - 62 * np.cos(t), 95 + 85 * np.sin(t)), -1)
    brow = np.stack((np.linspace(-14, 14, 5), (-3, -6, -7, -6, -3)), -1)
    bridge = np.stack((np.full(4, 100.0), np.linspace(85, 118, 4)), -1)
    base = np.stack((np.linspace(88, 112, 5), (124, 127, 128, 127, 124)), -1)
    eye = np.stack((np.array([-10, -4, 4, 10, 4, -4]), np.array([0, -4, -4, 0, 3, 3])), -1)
    turn = np.pi + np.arange(12) * np.pi / 6
    outer = np.stack((100 + 26 * np.cos(turn), 150 + 11 * np.sin(turn)), -1)
    turn = np.pi + np.arange(8) * np.pi / 4
    inner = np.stack((100 + 18 * np.cos(turn), 150 + 4 * np.sin(turn)), -1)
    brows, eyes = ([np.add(shape, (x, y)) for x in (70, 130)] for shape, y in ((brow, 72), (eye, 88)))
    return np.concatenate((jaw, *brows, bridge, base, *eyes, outer, inner))
