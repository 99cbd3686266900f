"""Kernels compile with or without a folder to keep their code in."""
from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np

from talkies.core.compiled import compiled


def doubled(values):
    for i in range(len(values)):
        values[i] *= 2


def test_kernel_runs_as_machine_code_outside_the_lock():
    kernel = compiled(doubled)
    values = np.ones(3, np.float32)
    kernel(values)
    assert values.tolist() == [2, 2, 2]
    assert kernel.nopython_signatures and kernel.targetoptions["nogil"] and not kernel.targetoptions.get("fastmath")


def test_nowhere_to_keep_code_is_no_error(monkeypatch, caplog):
    njit = numba.njit

    def without_folder(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_folder)
    with caplog.at_level(logging.INFO):
        kernel = compiled(doubled)
    values = np.ones(2, np.float32)
    kernel(values)
    assert values.tolist() == [2, 2] and "compiled anew at every start" in caplog.text


def test_code_kept_under_one_package_name_does_not_stop_another(tmp_path):
    """ComfyUI names the pack after its folder, pip calls it talkies; both read one ``__pycache__``."""
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "compiled.py").write_text(Path(inspect.getfile(compiled)).read_text(encoding="utf-8"), encoding="utf-8")
    (package / "kernel.py").write_text("from .compiled import compiled\n@compiled\ndef inner(x):\n    return x + 1\n"
                                       "@compiled\ndef outer(x):\n    return inner(x) * 2\n", encoding="utf-8")
    load = ("import importlib, importlib.util, sys\nname, folder = sys.argv[1:]\n"
            "spec = importlib.util.spec_from_file_location(name, folder + '/__init__.py', submodule_search_locations=[folder])\n"
            "pack = importlib.util.module_from_spec(spec); sys.modules[name] = pack; spec.loader.exec_module(pack)\n"
            "kernel = importlib.import_module(name + '.kernel'); print(kernel.outer(3), sum(kernel.outer.stats.cache_hits.values()))")
    answers = [subprocess.run([sys.executable, "-c", load, name, str(package)], capture_output=True, text=True, timeout=300)
               for name in ("first", "/odd path/second", "first")]
    assert [a.stdout.split() for a in answers] == [["8", "0"], ["8", "0"], ["8", "1"]], answers[-1].stderr + answers[1].stderr
