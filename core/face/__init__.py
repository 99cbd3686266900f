"""The face: find it, hold it still, put it back."""
