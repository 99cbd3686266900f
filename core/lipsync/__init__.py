"""Lips from speech: the Diff2Lip network, its schedule and its samplers.

Mukhopadhyay, Suri, Gadde and Shrivastava, "Diff2Lip: Audio Conditioned Diffusion Models for Lip-Synchronization", WACV 2024.
"""
