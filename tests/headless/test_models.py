"""`talkies models`: the list, downloads that go on where they broke off, hashes, and files out of a wheel."""
from __future__ import annotations

import hashlib
import importlib.util
import socket
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from checkout import ROOT

from talkies.core import weights
from talkies.core.weights import Checkpoint, WeightsError
from talkies.headless import cli, download, models, wheel

CONTENT = np.random.default_rng(0).integers(0, 256, 1_300_000, dtype=np.uint8).tobytes()


def entry_for(content: bytes, url: str = "", member: str = "", name: str = "example", sha256: str | None = "") -> Checkpoint:
    digest = hashlib.sha256(content).hexdigest() if sha256 == "" else sha256
    return Checkpoint(name, "testing", f"{name}.bin", "talkies", url, len(content), digest, "MIT", member=member)


class Server(ThreadingHTTPServer):
    """Serves `content` at /example.bin, with ranges; `breaks` connections end after `until` bytes; every request's headers are kept."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag, self.status = CONTENT, '"v1"', 200
        self.breaks, self.until = 0, 500_000
        self.requests = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/example.bin"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        asked, version = self.headers.get("Range"), self.headers.get("If-Range")
        if asked and version == server.etag:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            if start >= len(server.content):
                self.send_error(416)
                return
        part = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(part)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            part = part[: server.until]
        self.wfile.write(part)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKIES_MODELS", str(tmp_path / "models"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "models" / "talkies"


def listed(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


class TestList:
    def test_every_checkpoint_is_listed_with_folder_licence_and_whether_it_is_here(self, folder, capsys):
        folder.mkdir(parents=True)
        (folder / weights.YUNET.file).touch()
        assert cli.main(["models"]) == 0
        lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
        for entry in weights.CATALOGUE:
            assert entry.licence in lines[entry.name] and entry.task in lines[entry.name]
        assert str(folder) in lines["yunet"] and "yes" in lines["yunet"] and "yes" not in lines["scrfd"]
        assert "407 MB" in lines["diff2lip"] and "1.24 MB" in lines["face_mesh"]


    def test_details_name_file_address_and_hash(self, folder, capsys):
        assert cli.main(["models", "--details"]) == 0
        out = capsys.readouterr().out
        for entry in weights.CATALOGUE:
            assert all(fact in out for fact in (entry.name, entry.file, entry.url, entry.licence, entry.sha256 or "not published"))

    def test_relative_folders_are_placed(self, monkeypatch, tmp_path, capsys):
        monkeypatch.delenv("TALKIES_MODELS", raising=False)
        monkeypatch.chdir(tmp_path)
        assert cli.main(["models"]) == 0
        assert f"below {tmp_path}" in capsys.readouterr().out


class TestDownload:
    def test_a_file_arrives_whole_under_its_name_and_nothing_else_is_left(self, server, folder, capsys):
        (path,) = models.get([entry_for(CONTENT, server.url)])
        assert path == folder / "example.bin" and path.read_bytes() == CONTENT and listed(folder) == ["example.bin"]
        assert "MIT" in capsys.readouterr().out

    def test_what_is_here_and_good_is_not_fetched_again(self, server, folder, capsys):
        models.get([entry_for(CONTENT, server.url)])
        models.get([entry_for(CONTENT, server.url)])
        assert len(server.requests) == 1 and "is here already" in capsys.readouterr().out

    def test_what_is_here_and_damaged_is_fetched_anew(self, server, folder):
        folder.mkdir(parents=True)
        (folder / "example.bin").write_bytes(CONTENT[:-5])
        models.get([entry_for(CONTENT, server.url)])
        assert (folder / "example.bin").read_bytes() == CONTENT

    def test_a_connection_that_breaks_goes_on_from_there(self, server, folder):
        server.breaks = 2
        models.get([entry_for(CONTENT, server.url)])
        assert [r.get("Range") for r in server.requests] == [None, "bytes=500000-", "bytes=1000000-"]
        assert (folder / "example.bin").read_bytes() == CONTENT and listed(folder) == ["example.bin"]

    def test_what_broke_off_is_kept_and_a_later_call_goes_on(self, server, folder):
        server.breaks, server.until = 99, 100_000
        with pytest.raises(WeightsError, match=r"0\.4 MB are kept; the same command goes on from there"):
            models.get([entry_for(CONTENT, server.url)])
        assert "example.bin" not in listed(folder)
        server.breaks = 0
        models.get([entry_for(CONTENT, server.url)])
        assert server.requests[-1]["Range"] == "bytes=400000-" and (folder / "example.bin").read_bytes() == CONTENT

    def test_ctrl_c_keeps_what_has_arrived_and_says_so(self, server, folder, monkeypatch, capsys):
        class Interrupting:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                return None

            def update(self, count):
                raise KeyboardInterrupt

        monkeypatch.setattr(models, "wanted", lambda names: (entry_for(CONTENT, server.url),))
        monkeypatch.setattr(download, "_bar", lambda *a: Interrupting())
        assert cli.main(["models", "get", "example"]) == 130
        assert "go on" in capsys.readouterr().err and listed(folder) == [".example.bin.mark", ".example.bin.part"]
        monkeypatch.undo()
        download.download(entry_for(CONTENT), server.url, folder / "example.bin")
        assert "Range" in server.requests[-1] and listed(folder) == ["example.bin"]

    def test_a_file_that_changed_on_the_server_starts_over(self, server, folder):
        server.breaks, server.until = 99, 100_000
        with pytest.raises(WeightsError):
            models.get([entry_for(CONTENT, server.url)])
        server.breaks, server.content, server.etag = 0, CONTENT[::-1], '"v2"'
        models.get([entry_for(CONTENT[::-1], server.url, sha256=None)])  # no hash that would tell a mixture
        assert (folder / "example.bin").read_bytes() == CONTENT[::-1]

    def test_without_a_mark_of_its_version_nothing_is_pieced_together(self, server, folder):
        server.breaks, server.etag = 1, ""
        models.get([entry_for(CONTENT, server.url)])
        assert all("Range" not in r for r in server.requests) and (folder / "example.bin").read_bytes() == CONTENT

    def test_a_part_longer_than_the_file_starts_over(self, server, folder):
        folder.mkdir(parents=True)
        (folder / ".example.bin.part").write_bytes(CONTENT + b"more")
        (folder / ".example.bin.mark").write_text('"v1"')
        models.get([entry_for(CONTENT, server.url)])
        assert (folder / "example.bin").read_bytes() == CONTENT

    @pytest.mark.parametrize(("content", "sha256", "words"), [
        (CONTENT[::-1], "", "has sha256"), (CONTENT[:-9], "", "bytes"), (b"<!DOCTYPE html> sign in", None, "gave a page"),
        (b"version https://git-lfs.github.com/spec/v1", None, "gave a page"), (b"", None, "gave nothing"),
    ])
    def test_a_wrong_file_is_refused_and_nothing_is_left(self, server, folder, content, sha256, words):
        server.content = content
        with pytest.raises(WeightsError, match=words) as error:
            models.get([entry_for(CONTENT, server.url, sha256=sha256)])
        assert "Nothing of it was kept" in str(error.value) and server.url in str(error.value) and listed(folder) == []

    def test_a_refusal_names_the_way_by_hand(self, server, folder):
        server.status = 404
        with pytest.raises(WeightsError, match=r"answers 404 Not Found\. Get example\.bin by hand"):
            models.get([entry_for(CONTENT, server.url)])
        assert len(server.requests) == 1 and listed(folder) == []

    def test_a_server_that_is_not_there(self, folder):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{held.getsockname()[1]}/example.bin"
            with pytest.raises(WeightsError, match="Check the connection"):
                models.get([entry_for(CONTENT, url)])


class TestAddress:
    def test_a_github_folder_gives_the_file_in_it_where_a_hash_will_tell(self):
        assert weights.address(weights.YUNET) == (
            "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2026may.onnx")

    def test_a_page_is_not_fetched(self, folder, capsys):
        assert cli.main(["models", "get", "diff2lip"]) == 1
        error = " ".join(capsys.readouterr().err.split())
        assert "Open https://github.com/soumik-kanad/diff2lip and put e7.24.1.3_model260000_paper.pt into" in error
        assert not (folder.parent / "diff2lip").exists()

    def test_a_missing_file_is_said_to_be_fetched_only_where_it_can_be(self, folder):
        for entry in weights.CATALOGUE:
            said = f"talkies models get {entry.name}`" in weights.missing_message(entry, [folder])
            assert said == (bool(entry.member) or weights.address(entry) is not None)

    def test_every_other_checkpoint_has_an_address_or_a_member(self):
        pages = [c.name for c in weights.CATALOGUE if not c.member and c.url.rsplit("/", 1)[-1] != c.file]
        assert set(pages) <= {"diff2lip", "yunet", "yunet_2023", "scrfd", "scrfd_bn"}

    def test_an_unknown_name_lists_the_known_ones(self, capsys):
        assert cli.main(["models", "get", "mesh"]) == 1
        assert "There is no checkpoint 'mesh'; there are face_mesh" in " ".join(capsys.readouterr().err.split())


MEMBERS = {"a/one.bin": CONTENT[:1000], "b/two.bin": CONTENT[1000:3000]}


@pytest.fixture
def two(monkeypatch):
    """A catalogue of two files in one wheel."""
    entries = tuple(entry_for(content, "the wheel", member, member[2:5]) for member, content in MEMBERS.items())
    monkeypatch.setattr(models, "CATALOGUE", entries)
    monkeypatch.setattr(weights, "CATALOGUE", entries)
    return entries


@pytest.fixture
def fake_pip(monkeypatch):
    """In pip's place: writes a wheel with these members, if the platform is one of `platforms`."""
    calls = []

    def give(members, platforms=wheel.PLATFORMS, error="ERROR: No matching distribution found for mediapipe==0.10.21"):
        def pip(command, **options):
            assert command[1:5] == ["-m", "pip", "download", "mediapipe==0.10.21"] and "--no-deps" in command
            calls.append(command[command.index("--platform") + 1])
            if calls[-1] not in platforms:
                return subprocess.CompletedProcess(command, 1, "", error)
            with zipfile.ZipFile(f"{command[command.index('--dest') + 1]}/mediapipe-0.10.21.whl", "w") as archive:
                for name, content in members.items():
                    archive.writestr(name, content)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(wheel.subprocess, "run", pip)
        return calls

    return give


class TestWheel:
    def test_one_name_brings_both_files_of_the_wheel_with_one_download(self, folder, two, fake_pip):
        calls = fake_pip({**MEMBERS, "c/other": b"x"})
        assert cli.main(["models", "get", "one"]) == 0
        assert (folder / "one.bin").read_bytes() == MEMBERS["a/one.bin"] and (folder / "two.bin").read_bytes() == MEMBERS["b/two.bin"]
        assert listed(folder) == ["one.bin", "two.bin"] and len(calls) == 1

    def test_only_what_is_missing_is_written(self, folder, two, fake_pip):
        fake_pip(MEMBERS)
        folder.mkdir(parents=True)
        (folder / "one.bin").write_bytes(MEMBERS["a/one.bin"])
        before = (folder / "one.bin").stat().st_mtime_ns
        assert cli.main(["models", "get", "one"]) == 0
        assert (folder / "one.bin").stat().st_mtime_ns == before and listed(folder) == ["one.bin", "two.bin"]

    def test_the_next_platform_is_tried_where_one_has_no_wheel(self, folder, two, fake_pip):
        calls = fake_pip(MEMBERS, platforms=wheel.PLATFORMS[2:])
        models.get(two)
        assert calls == list(wheel.PLATFORMS[:3])

    def test_without_a_network_one_try_is_enough(self, folder, two, fake_pip, capsys):
        calls = fake_pip(MEMBERS, platforms=(), error="WARNING: Retrying\nERROR: Could not fetch URL: connection refused")
        assert cli.main(["models", "get", "one"]) == 1
        assert "(ERROR: Could not fetch URL: connection refused)" in " ".join(capsys.readouterr().err.split())
        assert len(calls) == 1 and listed(folder) == []

    @pytest.mark.parametrize(("second", "words"), [(b"0" * 2000, "b/two.bin in mediapipe-0.10.21.whl has sha256"),
                                                   (b"0", "has 1 bytes"), (None, "is not the wheel")])
    def test_a_wrong_member_is_refused_and_neither_is_left(self, folder, two, fake_pip, second, words):
        fake_pip({"a/one.bin": MEMBERS["a/one.bin"], **({} if second is None else {"b/two.bin": second})})
        with pytest.raises(WeightsError, match=words):
            models.get(two)
        assert listed(folder) == []

    def test_the_mesh_never_comes_without_its_detector(self):
        assert models.wanted(["face_mesh"]) == (weights.FACE_MESH, weights.FACE_DETECTION)
        assert models.wanted(["yunet"]) == (weights.YUNET,)

    @pytest.mark.slow
    def test_the_real_wheel_holds_the_files_of_the_catalogue(self, folder):
        try:
            made = models.get(models.wanted(["face_mesh"]))
        except WeightsError as error:
            if "pip could not download" in str(error):
                pytest.skip(f"the package index cannot be reached: {error}")
            raise
        for path, entry in zip(made, (weights.FACE_MESH, weights.FACE_DETECTION), strict=True):
            weights.check_file(entry, path)


class TestQuickstart:
    @pytest.fixture
    def quickstart(self, monkeypatch, tmp_path):
        spec = importlib.util.spec_from_file_location("quickstart_under_test", ROOT / "quickstart.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.delenv("TALKIES_MODELS", raising=False)
        return module

    @pytest.mark.parametrize(("statuses", "calls", "words"), [
        ([1], 1, "LiteRT"), ([0, 1], 2, "could not be fetched, so the built-in face detector serves"), ([0, 0], 2, "")])
    def test_it_goes_on_without_the_mesh(self, quickstart, monkeypatch, capsys, statuses, calls, words):
        made = []
        monkeypatch.setattr(quickstart, "run", lambda *command, **options: made.append(command) or statuses[len(made) - 1])
        quickstart.get_face_mesh()
        assert len(made) == calls and words in capsys.readouterr().out
        assert calls == 1 or made[1][1:] == ("-m", "talkies.headless", "models", "get", "face_mesh")

    def test_it_asks_once(self, quickstart, monkeypatch, tmp_path):
        (tmp_path / "models" / "talkies").mkdir(parents=True)
        for entry in (weights.FACE_MESH, weights.FACE_DETECTION):
            (tmp_path / "models" / "talkies" / entry.file).touch()
        monkeypatch.setattr(quickstart, "run", lambda *command, **options: pytest.fail("it is there"))
        quickstart.get_face_mesh()
