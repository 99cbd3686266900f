"""Restoration: sharpening, local contrast, grain, denoising. One operation a file; kernels beside it where they pay."""
