"""The host adapter: ComfyUI's services when it is there, plain ones when it is not."""
from __future__ import annotations

import copy
import gc
import sys
import types
import weakref

import numpy as np
import pytest
import torch

from talkies.host import blocker, comfy, devices, folders
from talkies.host.progress import PERIOD, clock, node_progress


class Interrupted(Exception):
    pass


@pytest.fixture
def fake_comfy(monkeypatch, tmp_path):
    """Stand-ins for ComfyUI's modules with the same names and calls; records what they were told."""
    told = types.SimpleNamespace(updates=[], texts=[], loaded=[], previews=[], freed=[], interrupt=False)

    class ProgressBar:
        def __init__(self, total):
            told.total = total

        def update_absolute(self, value, total=None, preview=None):
            told.updates.append((value, total))
            told.previews += [preview] if preview else []

    def throw():
        if told.interrupt:
            raise Interrupted

    class Server:
        instance = types.SimpleNamespace(send_progress_text=lambda text, node: told.texts.append((text, node)))

    class ExecutionBlocker:
        def __init__(self, message):
            self.message = message

    class ModelPatcher:
        def __init__(self, model, load_device, offload_device):
            self.model = model

    management = types.SimpleNamespace(
        throw_exception_if_processing_interrupted=throw, get_torch_device=lambda: torch.device("meta"), OOM_EXCEPTION=Interrupted,
        intermediate_device=lambda: torch.device("cpu"), unet_offload_device=lambda: torch.device("cpu"),
        free_memory=lambda memory, device: told.freed.append((memory, device.type)),
        load_models_gpu=lambda models, memory_required=0: told.loaded.append((models, memory_required)))
    table = {"upscale_models": ([str(tmp_path / "up")], {".pth"})}
    paths = types.SimpleNamespace(folder_names_and_paths=table, models_dir=str(tmp_path / "models"),
                                  get_folder_paths=lambda kind: table[kind][0], get_temp_directory=lambda: str(tmp_path / "temp"))
    for name, module in {
        "comfy.model_management": management, "comfy.utils": types.SimpleNamespace(ProgressBar=ProgressBar), "folder_paths": paths,
        "comfy.model_patcher": types.SimpleNamespace(ModelPatcher=ModelPatcher), "server": types.SimpleNamespace(PromptServer=Server),
        "comfy_execution.graph": types.SimpleNamespace(ExecutionBlocker=ExecutionBlocker),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return told


class TestInsideComfyUI:
    def test_every_call_checks_for_cancel_and_the_exception_passes(self, fake_comfy):
        progress = node_progress("Sharpen", "5")
        progress(1, 100)
        fake_comfy.interrupt = True
        with pytest.raises(Interrupted):
            progress(2, 100)

    def test_the_bar_is_not_flooded_but_ends_full(self, fake_comfy):
        progress = node_progress("Sharpen")
        for done in range(1, 1001):
            progress(done, 1000)
        assert len(fake_comfy.updates) < 20 and fake_comfy.updates[-1] == (1000, 1000)

    def test_time_left_is_told_on_the_node(self, fake_comfy, monkeypatch):
        now = [0.0]
        monkeypatch.setattr("talkies.host.progress.time.monotonic", lambda: now[0])
        progress = node_progress("Render Video", "7")
        now[0] = 10.0
        progress(25, 100)
        assert fake_comfy.texts == [("25 of 100, 0:30 left", "7")]
        now[0] += PERIOD / 2
        progress(26, 100)
        assert len(fake_comfy.texts) == 1
        progress(100, 100)
        assert fake_comfy.texts[-1] == ("100 frames in 0:10", "7")

    def test_shares_of_the_whole_are_told_in_percent(self, fake_comfy, monkeypatch):
        now = [0.0]
        monkeypatch.setattr("talkies.host.progress.time.monotonic", lambda: now[0])
        progress = node_progress("Deep Image Prior", "7", unit="")
        now[0] = 10.0
        progress(250, 1000)
        progress(1000, 1000)
        assert [text for text, _ in fake_comfy.texts] == ["25%, 0:30 left", "done in 0:10"]

    def test_a_picture_is_shown_where_the_bar_stands(self, fake_comfy, monkeypatch):
        progress = node_progress("Op", "7", unit="steps")
        progress.picture(np.zeros((4, 6, 3), np.float32))  # before the first update there is no bar to show it on
        monkeypatch.setattr("talkies.host.progress.time.monotonic", lambda: 1e9)
        progress(25, 100)
        for channels in (3, 1):
            progress.picture(np.full((4, 6, channels), 0.5, np.float32))
        assert fake_comfy.updates[-1] == (25, 100)
        assert [(kind, shown.size, shown.getpixel((0, 0))) for kind, shown, _ in fake_comfy.previews] == 2 * [("JPEG", (6, 4), (128,) * 3)]

    def test_other_models_make_room(self, fake_comfy):
        assert devices.device_with_room(5) == torch.device("meta") and fake_comfy.freed == [(5, "meta")]

    def test_a_new_model_folder_gets_its_extensions(self, fake_comfy):
        assert folders.model_folders("diff2lip")[0].name == "diff2lip"
        extensions = sys.modules["folder_paths"].folder_names_and_paths["diff2lip"][1]
        assert ".safetensors" in extensions and ".txt" not in extensions

    def test_a_known_model_folder_is_reused(self, fake_comfy, tmp_path):
        assert folders.model_folders("upscale_models") == [tmp_path / "up"]

    def test_networks_go_through_the_patcher(self, fake_comfy):
        network = torch.nn.Linear(2, 2)
        with devices.loaded(network, 123) as placed:
            assert placed is network
        ((models, memory),) = fake_comfy.loaded
        assert models[0].model is network and memory == 123

    def test_a_network_keeps_its_patcher_and_takes_it_along_when_it_goes(self, fake_comfy):
        network = torch.nn.Linear(2, 2)
        for _ in range(2):
            with devices.loaded(network):
                pass
        (first,), (second,) = (models for models, _ in fake_comfy.loaded)
        assert first is second
        copied = copy.deepcopy(network)
        with devices.loaded(copied):
            pass
        assert fake_comfy.loaded[-1][0][0].model is copied
        gone = weakref.ref(network)
        fake_comfy.loaded.clear()
        del network, first, second
        gc.collect()
        assert gone() is None

    def test_device_and_out_of_memory_type_are_the_hosts(self, fake_comfy):
        assert devices.compute_device() == torch.device("meta") and Interrupted in devices.out_of_memory()

    def test_blocked_is_the_hosts_sentinel(self, fake_comfy):
        sentinel = blocker.blocked("nothing linked")
        assert type(sentinel).__name__ == "ExecutionBlocker" and sentinel.message == "nothing linked"

    def test_temporary_folder_is_the_hosts(self, fake_comfy, tmp_path):
        assert folders.temporary_folder() == tmp_path / "temp" and (tmp_path / "temp").is_dir()


class TestWithoutComfyUI:
    def test_no_module_is_found_or_imported(self):
        assert comfy.module("comfy.utils") is None and "comfy" not in sys.modules

    def test_models_lie_in_a_plain_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TALKIES_MODELS", str(tmp_path))
        (tmp_path / "talkies" / "sub").mkdir(parents=True)
        (tmp_path / "talkies" / "sub" / "net.onnx").touch()
        (tmp_path / "talkies" / "readme.txt").touch()
        assert folders.model_names("talkies") == ["sub/net.onnx"]
        assert folders.find_model("talkies", "sub/net.onnx") == tmp_path / "talkies" / "sub" / "net.onnx"
        assert folders.find_model("talkies", "missing.onnx") is None

    def test_blocked_is_plain(self):
        assert blocker.blocked("x") == blocker.Blocked("x")

    def test_a_network_goes_to_the_device(self):
        with devices.loaded(torch.nn.Linear(2, 2)) as network:
            assert network.weight.device.type == devices.compute_device().type
        assert torch.cuda.OutOfMemoryError in devices.out_of_memory()
        assert devices.image_device().type == "cpu"

    def test_progress_outside_a_terminal_is_quiet(self, capsys):
        progress = node_progress("Sharpen")
        progress(1, 2)
        progress(2, 2)
        assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_clock(seconds, text):
    assert clock(seconds) == text
