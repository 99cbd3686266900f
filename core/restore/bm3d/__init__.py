"""BM3D: block matching and 3-D collaborative filtering, for stills and for video."""
