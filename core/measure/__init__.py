"""Measurements: what a picture, a clip or a track is like, in figures."""
