"""What noise a picture carries: how strong at which brightness, how it hangs together in space, in luma and chroma."""
