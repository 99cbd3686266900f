"""Figures of a clip: what moved, what flickered, how close two pictures are."""
