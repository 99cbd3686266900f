"""The other engines: the original package agrees on every golden, in an environment of its own; OpenVINO where it is installed."""
from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import numpy as np
import pytest
from library_guard import ROOT
from upscale_making import resolve

from talkies.core.upscale.family import ModelError
from talkies.core.upscale.reference import gone_module, original

GONE = "torchvision.transforms.functional_tensor"

PROGRAM = """
import importlib.util, sys
from pathlib import Path
import numpy as np
root, models, goldens, out = map(Path, sys.argv[1:])
spec = importlib.util.spec_from_file_location("talkies", root / "__init__.py", submodule_search_locations=[str(root)])
pack = importlib.util.module_from_spec(spec); sys.modules["talkies"] = pack; spec.loader.exec_module(pack)
from talkies.core.upscale.super_resolve import SuperResolve
from talkies.core.upscale.upscaler import Upscaler
frames = np.load(goldens)["input"].transpose(0, 2, 3, 1)
made = {}
for file in sorted(models.glob("*.pth")):
    for engine in ("torch", "realesrgan"):
        made[file.stem + " " + engine] = SuperResolve(model=file.name, engine=engine, upscaler=Upscaler(folders=(models,)))(frames)[0]
assert "torchvision.transforms.functional_tensor" not in sys.modules
np.savez(out, **made)
"""


@pytest.fixture(scope="session")
def own_python(tmp_path_factory):
    """A Python with the original package, beside the libraries of this one; skips where that cannot be installed."""
    folder = tmp_path_factory.mktemp("reference") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=300)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True)
    (Path(site.stdout.strip()) / "parent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    # An own, older setuptools would hide the newer one beside it, which brings the wheel command that the build needs.
    subprocess.run([str(python), "-m", "pip", "uninstall", "-q", "-y", "setuptools", "wheel"], check=True, capture_output=True, timeout=300)
    wanted = ["realesrgan>=0.3.0", "basicsr==1.4.2", "addict", "future", "lmdb", "pyyaml", "requests", "yapf"]
    command = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"the realesrgan package cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.mark.slow
def test_the_original_package_agrees_on_every_golden(own_python, published, shared, goldens, tmp_path):
    file = shared / "goldens" / "upscale" / "realesrgan_goldens.npz"
    done = subprocess.run([str(own_python), "-c", PROGRAM, str(ROOT), str(published), str(file), str(tmp_path / "made.npz")],
                          capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    made = np.load(tmp_path / "made.npz")
    assert len(made.files) == 8
    for name in {key.split()[0] for key in made.files}:
        np.testing.assert_allclose(made[f"{name} realesrgan"], made[f"{name} torch"], atol=1e-4, rtol=0)
        np.testing.assert_allclose(made[f"{name} realesrgan"].transpose(2, 0, 1), np.clip(goldens[name], 0, 1), atol=1e-4, rtol=0)


def test_the_stand_in_is_there_inside_the_block_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, GONE, raising=False)
    with gone_module():
        from importlib import import_module

        assert callable(import_module(GONE).rgb_to_grayscale)
    assert GONE not in sys.modules


def test_the_stand_in_goes_when_the_import_fails(monkeypatch):
    monkeypatch.delitem(sys.modules, GONE, raising=False)
    with pytest.raises(ZeroDivisionError), gone_module():
        raise ZeroDivisionError
    assert GONE not in sys.modules


def test_a_real_module_is_left_alone(monkeypatch):
    real = types.ModuleType(GONE)
    monkeypatch.setitem(sys.modules, GONE, real)
    with gone_module():
        assert sys.modules[GONE] is real
    assert sys.modules[GONE] is real


@pytest.mark.skipif(importlib.util.find_spec("realesrgan") is not None, reason="the package is installed here")
def test_without_the_package_the_message_tells_how_to_get_it(small, picture):
    with pytest.raises(ModelError, match=r"pip install realesrgan.*set engine to torch"):
        resolve(small, model="compact", engine="realesrgan")(picture)
    with pytest.raises(ModelError):
        original()
    assert GONE not in sys.modules


def test_the_original_runs_in_float32_alone(small, picture):
    with pytest.raises(ModelError, match="realesrgan runs in float32"):
        resolve(small, model="compact", engine="realesrgan", precision="bfloat16")(picture)


@pytest.mark.skipif(importlib.util.find_spec("openvino") is not None, reason="OpenVINO is installed here")
def test_without_openvino_the_message_tells_how_to_get_it(small, picture):
    with pytest.raises(ModelError, match=r"pip install openvino.*set engine to torch"):
        resolve(small, model="compact", engine="openvino")(picture)


@pytest.mark.parametrize("name", ["compact", "rrdb", "rrdb2", "gray"])
@pytest.mark.parametrize("size", [(96, 128), (33, 47), (1, 1)])
def test_openvino_agrees_with_torch(name, size, small, picture):
    pytest.importorskip("openvino")
    frames = np.ascontiguousarray(picture[:, : size[0], : size[1]])
    np.testing.assert_allclose(resolve(small, model=name, engine="openvino")(frames), resolve(small, model=name)(frames), atol=1e-4, rtol=0)
    np.testing.assert_allclose(resolve(small, model=name, engine="openvino", tile=48)(frames), resolve(small, model=name, tile=48)(frames),
                               atol=1e-4, rtol=0)
