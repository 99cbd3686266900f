"""The only code that knows ComfyUI: progress, interrupt, devices, memory, model folders, and plain fallbacks without it."""
