"""Samplers: from noise to a face in as few evaluations of the network as the error allows."""
