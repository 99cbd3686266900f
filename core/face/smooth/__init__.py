"""Taking the jitter out of a track: fused with measured motion, or from the track alone."""
