"""Clips: where frames come from and where they go, by chunks and in bounded memory; colour, timing and sound kept."""
