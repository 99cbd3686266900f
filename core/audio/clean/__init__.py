"""Cleaning a voice track: noise, dynamics, loudness, and a report on its quality."""
