"""Kernels compiled by numba: how they are declared, once."""
from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_log = logging.getLogger(__name__)
_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def compiled(kernel: _Kernel) -> _Kernel:
    """Compile a kernel at its first call, outside the interpreter's lock, and keep the machine code on disk for the next start.

    Kernels run on the frame pool's threads, so they start none of their own. Arithmetic keeps IEEE order (no ``fastmath``): a
    vectorised loop gives the same bits on every machine, which is what lets a clip be cut over many of them. The code is kept in
    ``__pycache__`` beside the kernel, or in the user's cache folder where that is read-only, or nowhere where both are.
    """
    try:
        made: Any = numba.njit(nogil=True, cache=True)(kernel)
    except RuntimeError as error:  # what numba raises when it finds no folder to write to
        _log.info("%s is compiled anew at every start: %s", kernel.__name__, error)
        made = numba.njit(nogil=True)(kernel)
    return cast(_Kernel, made)
