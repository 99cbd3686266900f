"""Which frame of a clip shows the network the mouth."""
from __future__ import annotations

from fractions import Fraction

from talkies.core.face.track import track_from_points
from talkies.core.lipsync.reference import reference_frame


def test_the_widest_closed_mouth_is_found(sixty_eight):
    points = []
    for i in range(20):
        face = sixty_eight.copy()
        face[60:68, 1] = 150 + (face[60:68, 1] - 150) * (0.1 if i in (4, 11) else 3)
        face[[48, 54], 0] = 100 + (face[[48, 54], 0] - 100) * (1.3 if i in (7, 11) else 1)
        points.append(face)
    track = track_from_points(points, "points68", (250, 200), Fraction(25))
    assert reference_frame(track, "closed", 0, 7) == 11, "wide and closed, not wide alone nor closed alone"
    assert reference_frame(track, "same", 0, 7) is None
    assert reference_frame(track, "random", 0, 7) == reference_frame(track, "random", 0, 7)
