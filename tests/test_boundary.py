"""The two guards of the boundary: nothing outside core/arrays.py converts, and no library gets what it does not document."""
from __future__ import annotations

import ast

import cv2
import numpy as np
import pytest
from library_guard import CV2, ROOT, WITHOUT_ARRAYS, UndocumentedArgument, calls_into, guarded, sources

from talkies.core import arrays

CONVERSIONS = {"numpy", "from_numpy", "as_tensor", "from_dlpack", "ascontiguousarray", "asfortranarray", "require"}


def conversions(tree: ast.AST) -> list[tuple[int, str]]:
    """Find calls such as ``x.numpy()`` or ``np.ascontiguousarray(x)``, and functions imported by such a name."""
    found = [(n.lineno, n.func.attr) for n in ast.walk(tree)
             if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in CONVERSIONS]
    found += [(n.lineno, a.name) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
              and (n.module or "").split(".")[0] in ("numpy", "torch") for a in n.names if a.name in CONVERSIONS]
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_only_arrays_converts(path):
    if path == ROOT / "core" / "arrays.py":
        assert conversions(ast.parse(path.read_text(encoding="utf-8"))), "the scan no longer sees the conversions that are there"
        return
    found = conversions(ast.parse(path.read_text(encoding="utf-8")))
    assert not found, f"{path.relative_to(ROOT)} converts outside core/arrays.py: {found}"


@pytest.mark.parametrize("text", ["x.numpy()", "torch.from_numpy(x)", "np.ascontiguousarray(x)", "from numpy import require\nrequire(x)"])
def test_the_scan_sees_a_conversion(text):
    assert conversions(ast.parse(text))


def test_every_opencv_function_in_use_is_documented():
    used = set().union(*(calls_into(ast.parse(p.read_text(encoding="utf-8")), "cv2") for p in sources()))
    assert used
    assert not used - set(CV2) - WITHOUT_ARRAYS, "add what these take to tests/library_guard.py"


def test_opencv_functions_are_called_through_the_module():
    """The guard wraps attributes of cv2; a function imported by name would slip past it."""
    by_name = [f"{path}:{node.lineno}" for path in sources() for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
               if isinstance(node, ast.ImportFrom) and node.module == "cv2"]
    assert not by_name


def test_the_guard_is_on():
    assert hasattr(cv2.multiply, "__wrapped__") and hasattr(cv2.LUT, "__wrapped__")


@pytest.mark.parametrize("value", [np.zeros((2, 2, 2, 3), np.float32), np.zeros((2, 2), np.float16), np.zeros((2, 2), ">f4"),
                                   np.zeros((4, 4), np.float32)[:, ::2]])
def test_the_guard_fails_on_what_is_not_documented(value):
    wrapped = guarded("cv2.GaussianBlur", cv2.GaussianBlur, CV2["GaussianBlur"])
    inside = {"__name__": "talkies.core.example", "blur": wrapped, "value": value}
    with pytest.raises(UndocumentedArgument, match=r"cv2\.GaussianBlur: argument 0 has"):
        exec("blur(value, (3, 3), 1.0)", inside)


def test_opencv_and_the_boundary_agree_on_every_input():
    """What the boundary lets through gives OpenCV the same picture, whatever layout and dtype it came in."""
    values = np.random.default_rng(0).integers(0, 256, (1, 9, 8, 3), dtype=np.uint8)
    plain = cv2.GaussianBlur(arrays.to_frames(values)[0], (3, 3), 1.0)
    for twin in (values[:, ::-1][:, ::-1], np.asfortranarray(values), (values / 255).astype(">f8")):
        np.testing.assert_allclose(cv2.GaussianBlur(arrays.to_frames(twin)[0], (3, 3), 1.0), plain, atol=1e-7)
