"""Kernels compiled by numba: how they are declared, once."""
from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_log = logging.getLogger(__name__)
_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def compiled(kernel: _Kernel) -> _Kernel:
    """Compile a kernel at its first call, outside the interpreter's lock, and keep the machine code on disk for the next start.

    Kernels run on the frame pool's threads, so they start none of their own. Arithmetic keeps IEEE order (no ``fastmath``), so a
    vectorised loop gives the same bits whatever the processor's vectors are; only functions such as pow are the C library's. The
    code is kept in ``__pycache__`` beside the kernel, in the user's cache folder where that is read-only, nowhere where both are.
    """
    # What numba keeps names its module, and this pack is loaded under many names (pip's, one for each ComfyUI folder). Under a name
    # that is not loaded the code could not be read back, so each name keeps its own.
    kernel.__qualname__ += "_" + hashlib.sha256(kernel.__module__.encode()).hexdigest()[:8]
    try:
        made: Any = numba.njit(nogil=True, cache=True)(kernel)
    except RuntimeError as error:  # what numba raises when it finds no folder to write to
        _log.info("%s is compiled anew at every start: %s", kernel.__name__, error)
        made = numba.njit(nogil=True)(kernel)
    return cast(_Kernel, made)
