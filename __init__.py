"""ComfyUI-Talkies: talking-head video in ComfyUI, and the same without it."""

if __package__:  # pytest imports this file without a parent package when it collects the root
    from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

    WEB_DIRECTORY = "./web"

    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
