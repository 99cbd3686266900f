"""Super-resolution: the Real-ESRGAN family and any other single-image network, by tiles, over the whole frame or a region of it."""
