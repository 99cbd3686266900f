"""Face detectors behind one interface, the choice of one face, and its identity through a clip.

Start with `auto.open_detector` (or a detector's own class) and hand it to `clip.detect_clip`.
"""
