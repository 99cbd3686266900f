"""Wraps the library functions that the pack calls, and fails on an argument that the function is not documented for.

OpenCV in particular takes big-endian floats without a word and returns garbage, takes a 4-D batch as one matrix, and converts
silently elsewhere. A wrapper looks at every array that reaches the function from the pack's own code (not from tests or other
libraries): rank, dtype, byte order, contiguity.
"""
from __future__ import annotations

import ast
import functools
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("core", "nodes", "host", "headless")
LIBRARIES = ("cv2", "scipy.ndimage", "scipy.signal", "skimage", "bm3d")

U8, U16, I16, I32, I64, F32, F64, C64, C128, BOOL = (
    np.dtype(t) for t in (np.uint8, np.uint16, np.int16, np.int32, np.int64, np.float32, np.float64, np.complex64, np.complex128, np.bool_)
)
IMAGES = frozenset({U8, U16, I16, F32, F64})


@dataclass(frozen=True)
class Documented:
    """What a function's documentation takes."""

    dtypes: frozenset[np.dtype]
    ranks: tuple[int, ...] = (2, 3)


NUMERIC = Documented(frozenset({U8, U16, I16, I32, I64, F32, F64, C64, C128, BOOL}), (0, 1, 2, 3, 4))
"""SciPy and scikit-image take any native number and any rank."""

POINTS = Documented(frozenset({I32, F32, F64, U8}), (1, 2, 3))
"""Geometry: point lists [N,2] or [N,1,2], matrices, and the pictures that go with them."""

CV2 = {
    "LUT": Documented(frozenset({U8, F32}), (1, 2, 3)),
    "GaussianBlur": Documented(IMAGES),
    "blur": Documented(IMAGES),
    "boxFilter": Documented(IMAGES),
    "sepFilter2D": Documented(IMAGES, (1, 2, 3)),
    "filter2D": Documented(IMAGES, (1, 2, 3)),
    "multiply": Documented(IMAGES | {I32}),
    "add": Documented(IMAGES | {I32}),
    "subtract": Documented(IMAGES | {I32}),
    "addWeighted": Documented(IMAGES | {I32}),
    "scaleAdd": Documented(frozenset({F32, F64})),
    "absdiff": Documented(IMAGES | {I32}),
    "min": Documented(IMAGES | {I32}),
    "max": Documented(IMAGES | {I32}),
    "pow": Documented(IMAGES),
    "sqrt": Documented(frozenset({F32, F64})),
    "norm": Documented(IMAGES | {I32}),
    "mean": Documented(IMAGES | {I32}),
    "meanStdDev": Documented(IMAGES | {I32}),
    "minMaxLoc": Documented(IMAGES | {I32}),
    "sumElems": Documented(IMAGES | {I32}),
    "reduce": Documented(IMAGES),
    "transform": Documented(IMAGES, (2, 3)),
    "merge": Documented(IMAGES),
    "split": Documented(IMAGES),
    "cvtColor": Documented(frozenset({U8, U16, F32})),
    "resize": Documented(IMAGES),
    "matchTemplate": Documented(frozenset({U8, F32}), (2, 3)),
    "warpAffine": Documented(IMAGES),
    "warpPerspective": Documented(IMAGES),
    "remap": Documented(IMAGES),
    "erode": Documented(IMAGES),
    "dilate": Documented(IMAGES),
    "morphologyEx": Documented(IMAGES),
    "medianBlur": Documented(frozenset({U8, U16, F32})),
    "bilateralFilter": Documented(frozenset({U8, F32})),
    "integral": Documented(frozenset({U8, F32, F64})),
    "Sobel": Documented(IMAGES),
    "Laplacian": Documented(IMAGES),
    "pyrDown": Documented(IMAGES),
    "pyrUp": Documented(IMAGES),
    "copyMakeBorder": Documented(IMAGES | {I32}),
    "rotate": Documented(IMAGES),
    "flip": Documented(IMAGES),
    "transpose": Documented(IMAGES),
    "goodFeaturesToTrack": Documented(frozenset({U8, F32}), (2,)),
    "calcOpticalFlowPyrLK": Documented(frozenset({U8, F32}), (2, 3)),
    "buildOpticalFlowPyramid": Documented(frozenset({U8}), (2, 3)),
    "estimateAffinePartial2D": POINTS,
    "estimateAffine2D": POINTS,
    "findHomography": POINTS,
    "invertAffineTransform": Documented(frozenset({F32, F64}), (2,)),
    "perspectiveTransform": Documented(frozenset({F32, F64}), (2, 3)),
    "getAffineTransform": Documented(frozenset({F32}), (2,)),
    "getRotationMatrix2D": POINTS,
    "fillPoly": Documented(frozenset({U8, I32, F32}), (2, 3)),
    "fillConvexPoly": Documented(frozenset({U8, I32, F32}), (2, 3)),
    "ellipse": Documented(frozenset({U8, F32})),
    "circle": Documented(frozenset({U8, F32})),
    "polylines": Documented(frozenset({U8, I32, F32}), (2, 3)),
    "rectangle": Documented(frozenset({U8, F32})),
    "convexHull": Documented(frozenset({I32, F32}), (2, 3)),
    "distanceTransform": Documented(frozenset({U8}), (2,)),
    "imdecode": Documented(frozenset({U8}), (1, 2)),
    "imencode": Documented(frozenset({U8, U16, F32}), (1, 2, 3)),
    "compareHist": Documented(frozenset({F32}), (1, 2, 3)),
    "calcHist": Documented(frozenset({U8, U16, F32}), (2, 3)),
}
"""OpenCV functions that the pack may call with arrays, with what their documentation takes. A new one is added here first."""

WITHOUT_ARRAYS = {
    "setNumThreads", "getNumThreads", "getStructuringElement", "getGaussianKernel", "ocl", "dnn", "FaceDetectorYN", "error", "utils",
    "setRNGSeed", "checkHardwareSupport", "DISOpticalFlow", "DISOpticalFlow_create", "UMat", "TermCriteria", "createCLAHE",
}
"""OpenCV names that take no array, or whose objects are checked where they are used."""


def sources() -> list[Path]:
    """List the pack's Python files."""
    return sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py") if "__pycache__" not in p.parts)


def calls_into(tree: ast.AST, library: str) -> set[str]:
    """List the functions of a library that a module calls through an attribute, e.g. ``GaussianBlur`` of ``cv2.GaussianBlur``."""
    aliases = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {a.asname or a.name.split(".")[0] for a in node.names if a.name == library and (a.asname or "." not in library)}
        elif isinstance(node, ast.ImportFrom) and node.module:
            aliases |= {a.asname or a.name for a in node.names if f"{node.module}.{a.name}" == library}
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        and node.func.value.id in aliases
    }


class UndocumentedArgument(AssertionError):
    """An argument that the library function is not documented for."""


def check(name: str, documented: Documented, position: object, value: Any) -> None:
    """Fail on one array that the function is not documented for."""
    if not isinstance(value, np.ndarray):
        return
    problem = None
    if value.dtype not in documented.dtypes or not value.dtype.isnative:
        problem = f"dtype {value.dtype.str}"
    elif value.ndim not in documented.ranks:
        problem = f"rank {value.ndim}"
    elif not value.flags.c_contiguous:
        problem = f"strides {value.strides} for shape {value.shape}"
    if problem:
        raise UndocumentedArgument(f"{name}: argument {position} has {problem}, which it is not documented for")


def guarded(name: str, function: Any, documented: Documented) -> Any:
    """Wrap a function so that arrays arriving from the pack's own code are checked."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").startswith("talkies."):
            for position, value in [*enumerate(arguments), *named.items()]:
                check(name, documented, position, value)
        return function(*arguments, **named)

    return wrapper


def install(monkeypatch: Any) -> list[str]:
    """Wrap every function in use; give their names."""
    wrapped = []
    for library in LIBRARIES:
        names = set().union(*(calls_into(ast.parse(p.read_text(encoding="utf-8")), library) for p in sources()))
        for name in sorted(names):
            module = importlib.import_module(library)
            documented = CV2.get(name) if library == "cv2" else NUMERIC
            function = getattr(module, name, None)
            if documented and callable(function) and not isinstance(function, type):
                monkeypatch.setattr(module, name, guarded(f"{library}.{name}", function, documented))
                wrapped.append(f"{library}.{name}")
    return wrapped
