"""The client against a small server that speaks ComfyUI's protocol, and misbehaves on demand."""
import asyncio
import json

import aiohttp
import pytest
from comfy_server_fake import FILES, INFO, OUTPUTS, PROMPT, FakeServer, serving

from talkies.headless.client import ComfyClient, shown_files
from talkies.headless.prompt import Hooks, WorkflowError
from talkies.headless.refusal import explain_refusal
from talkies.headless.run import least_busy, run_on_server


def running(server, folder, hooks=None, **options):
    """Run PROMPT on a server; gives outputs and files."""

    async def go():
        async with serving(server) as url, ComfyClient(url, poll=0.05) as client:
            return await client.run(PROMPT, folder, object_info=INFO, hooks=hooks, **options)

    return asyncio.run(asyncio.wait_for(go(), 20))


class TestRun:
    def test_queues_follows_and_fetches(self, tmp_path):
        server, told = FakeServer(), []
        hooks = Hooks(node=lambda *a: told.append(a), progress=lambda *a: told.append(a), finished=lambda n, s: told.append((n, list(s))))
        outputs, files = running(server, tmp_path, hooks, extra_pnginfo={"workflow": {"nodes": []}})
        assert outputs == OUTPUTS
        assert files == [tmp_path / "video" / "v.mp4", tmp_path / "p.webp"]
        assert [path.read_bytes() for path in files] == [FILES["v.mp4"], FILES["p.webp"]]
        assert told == [(1, 2, "Keep"), ("2", 3, 10), ("2", 4, 10), ("2", ["images", "animated"])]
        (body,) = server.bodies
        assert body["prompt"] == PROMPT and body["extra_data"] == {"extra_pnginfo": {"workflow": {"nodes": []}}}
        assert list(tmp_path.rglob("*.part")) == []

    def test_previews_can_be_left_there(self, tmp_path):
        assert running(FakeServer(), tmp_path, kinds=("output",))[1] == [tmp_path / "video" / "v.mp4"]

    @pytest.mark.parametrize("trouble", ["drop_socket", "no_socket"])
    def test_without_a_websocket_the_history_is_followed(self, tmp_path, trouble):
        server = FakeServer()
        setattr(server, trouble, True)
        assert running(server, tmp_path)[0] == OUTPUTS
        assert server.connections > 1, "it tries to connect again"

    def test_input_files_are_uploaded_and_renamed_as_the_server_says(self, tmp_path):
        server = FakeServer()
        server.uploads["clip.mp4"] = b"another file"
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "clip.mp4").write_bytes(b"the clip")
        running(server, tmp_path / "out", inputs=tmp_path / "in")
        assert server.uploads["1clip.mp4"] == b"the clip"
        assert server.bodies[0]["prompt"]["1"]["inputs"]["file"] == "1clip.mp4"
        assert PROMPT["1"]["inputs"]["file"] == "clip.mp4"

    def test_a_file_of_that_name_is_not_overwritten_but_the_same_one_is(self, tmp_path):
        (tmp_path / "p.webp").write_bytes(b"my own")
        for _ in range(2):
            _, files = running(FakeServer(), tmp_path)
            assert files[1] == tmp_path / "p (1).webp"
        assert (tmp_path / "p.webp").read_bytes() == b"my own"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["p (1).webp", "p.webp", "video"]


class TestTrouble:
    def test_a_refusal_names_node_input_and_range(self, tmp_path):
        server = FakeServer()
        config = ["FLOAT", {"min": 0.0, "max": 1.0}]
        errors = [
            {"type": "value_bigger_than_max", "message": "Value 5 bigger than max of 1.0", "details": "strength",
             "extra_info": {"input_name": "strength", "input_config": config}},
            {"type": "required_input_missing", "message": "Required input is missing", "details": "video",
             "extra_info": {"input_name": "video"}},
        ]
        whole = {"message": "Prompt outputs failed validation", "details": ""}
        server.refusal = {"error": whole, "node_errors": {"2": {"class_type": "SaveVideo", "errors": errors}}}
        with pytest.raises(WorkflowError) as caught:
            running(server, tmp_path)
        assert str(caught.value).partition("workflow. ")[2] == (
            'Node 2 "Keep" (SaveVideo): input strength: Value 5 bigger than max of 1.0 (range 0.0 to 1.0). '
            'Node 2 "Keep" (SaveVideo): input video: Required input is missing.')

    def test_a_refusal_of_the_whole(self):
        body = {"error": {"message": "Cannot execute because node Gone does not exist.", "details": "Node ID '#1'"}, "node_errors": {}}
        assert explain_refusal(body, PROMPT, "http://x").endswith("Cannot execute because node Gone does not exist (Node ID '#1').")

    def test_a_failure_names_the_node_and_the_reason(self, tmp_path):
        server = FakeServer()
        server.failure = ["execution_error", {"node_id": "2", "exception_type": "builtins.ValueError", "exception_message": "odd size\n"}]
        with pytest.raises(WorkflowError, match=r'^Node 2 "Keep" \(SaveVideo\) failed on http://127.0.0.1:\d+: ValueError: odd size$'):
            running(server, tmp_path)

    def test_an_interruption_is_told(self, tmp_path):
        server = FakeServer()
        server.failure = ["execution_interrupted", {"node_id": "2"}]
        with pytest.raises(WorkflowError, match=r"interrupted .* at Node 2"):
            running(server, tmp_path)

    def test_a_workflow_that_the_server_forgot(self, tmp_path):
        server = FakeServer()
        server.forget = True
        with pytest.raises(WorkflowError, match="no longer knows"):
            running(server, tmp_path)

    def test_a_server_that_is_not_there(self, tmp_path):
        async def go():
            async with ComfyClient("http://127.0.0.1:9", poll=0.05) as client:
                await client.object_info()

        with pytest.raises(WorkflowError, match="cannot be reached"):
            asyncio.run(go())

    def test_a_server_that_goes_away_is_given_up(self, tmp_path):
        server = FakeServer()
        server.hold = True

        async def go():
            async with AsyncStop(server) as stop, ComfyClient(stop.url, poll=0.05, patience=0.2) as client:
                asyncio.get_running_loop().call_later(0.3, stop.now)
                await client.run(PROMPT, tmp_path, object_info=INFO)

        with pytest.raises(WorkflowError, match="cannot be reached"):
            asyncio.run(asyncio.wait_for(go(), 20))

    def test_a_file_that_is_gone_and_one_that_leads_out(self, tmp_path):
        async def fetch(shown):
            async with serving(FakeServer()) as url, ComfyClient(url) as client:
                await client.fetch(shown, tmp_path)

        with pytest.raises(WorkflowError, match="HTTP 404"):
            asyncio.run(fetch({"filename": "gone.png", "subfolder": "", "type": "output"}))
        with pytest.raises(WorkflowError, match="outside"):
            asyncio.run(fetch({"filename": "v.mp4", "subfolder": "../..", "type": "output"}))
        assert list(tmp_path.iterdir()) == []


class AsyncStop:
    """A server that a test can stop in the middle."""

    def __init__(self, server):
        self.server = server

    async def __aenter__(self):
        self.context = serving(self.server)
        self.url = await self.context.__aenter__()
        self.stopped = None
        return self

    def now(self):
        self.server.hold = False
        self.server.forget = True
        self.stopped = asyncio.ensure_future(self.context.__aexit__(None, None, None))

    async def __aexit__(self, *error):
        await self.stopped


class TestCancel:
    """Ctrl-C drops our workflow and leaves everyone else's alone."""

    def cancel(self, server, tmp_path, after=0.2):
        async def go():
            async with serving(server) as url, ComfyClient(url, poll=0.05) as client:
                task = asyncio.ensure_future(client.run(PROMPT, tmp_path, object_info=INFO))
                await asyncio.sleep(after)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                server.hold = False

        server.hold = True
        asyncio.run(asyncio.wait_for(go(), 20))
        return server.bodies[0]["prompt_id"]

    def test_the_running_one_is_interrupted_by_its_id(self, tmp_path):
        server = FakeServer()
        prompt_id = self.cancel(server, tmp_path)
        assert server.interrupted == [prompt_id] and server.deleted == [prompt_id]

    def test_a_waiting_one_is_deleted_and_the_running_one_goes_on(self, tmp_path):
        server = FakeServer()
        mine = server.work

        async def wait_behind_another(prompt_id, socket):
            server.queued, server.running = [[1, prompt_id]], [[0, "somebody's"]]
            await mine(prompt_id, socket)

        server.work = wait_behind_another
        prompt_id = self.cancel(server, tmp_path)
        assert server.deleted == [prompt_id] and server.interrupted == []


class TestFromFile:
    def test_a_ui_workflow_is_converted_with_the_servers_definitions(self, tmp_path):
        ui = {"nodes": [
            {"id": 1, "type": "LoadVideo", "mode": 0, "inputs": [], "outputs": [], "widgets_values": ["a.mp4", "image"]},
            {"id": 2, "type": "SaveVideo", "mode": 0, "inputs": [{"name": "video", "type": "VIDEO", "link": 5}], "title": "Keep"},
        ], "links": [[5, 1, 0, 2, 0, "VIDEO"]]}
        (tmp_path / "w.json").write_text(json.dumps(ui))
        server = FakeServer()

        async def go():
            async with serving(server) as url:
                return await asyncio.to_thread(
                    run_on_server, tmp_path / "w.json", [url], tmp_path / "out", inputs=tmp_path, overrides=["LoadVideo.file=b.mp4"])

        assert asyncio.run(asyncio.wait_for(go(), 20)) == [tmp_path / "out" / "video" / "v.mp4"]
        assert server.bodies[0]["prompt"] == {**PROMPT, "1": {**PROMPT["1"], "inputs": {"file": "b.mp4"}}}
        assert server.bodies[0]["extra_data"]["extra_pnginfo"] == {"workflow": ui}

    def test_the_server_with_the_shortest_queue_is_taken(self):
        busy, idle = FakeServer(), FakeServer()
        busy.queued = [[0, "x"]] * 3

        async def go():
            async with serving(busy) as one, serving(idle) as two:
                return await least_busy([one, "http://127.0.0.1:9", two]) == two

        assert asyncio.run(go())
        with pytest.raises(WorkflowError, match="cannot be reached"):
            asyncio.run(least_busy(["http://127.0.0.1:9"]))


def test_files_are_found_in_whatever_list_they_stand():
    video = {"filename": "b", "subfolder": "s", "type": "temp"}
    shown = shown_files({"1": {"audio": [{"filename": "a.flac"}], "text": ["a.txt"], "videos": [video]}})
    assert shown == [{"filename": "a.flac", "subfolder": "", "type": "output"}, {"filename": "b", "subfolder": "s", "type": "temp"}]


def test_a_client_outside_of_its_context_is_told():
    with pytest.raises(RuntimeError, match="async with"):
        assert isinstance(ComfyClient("host:8188").session, aiohttp.ClientSession)
    assert ComfyClient("host:8188/").url == "http://host:8188"
