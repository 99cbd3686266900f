"""Deblurring with a known point-spread function: regularised inverse, then BM3D of the coloured noise that it leaves."""
