"""How the upscaling tests make an operation: models from a folder of their own."""
from __future__ import annotations

from talkies.core.upscale.super_resolve import SuperResolve
from talkies.core.upscale.upscaler import Upscaler


def resolve(folder, **settings):
    """Give a SuperResolve that looks its model up in `folder`."""
    return SuperResolve(**settings, upscaler=Upscaler(folders=(folder,)))
