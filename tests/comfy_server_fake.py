"""A small server that speaks ComfyUI's protocol, and misbehaves on demand."""
from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from aiohttp import web

PROMPT = {
    "1": {"class_type": "LoadVideo", "inputs": {"file": "clip.mp4"}, "_meta": {"title": "Load Video"}},
    "2": {"class_type": "SaveVideo", "inputs": {"video": ["1", 0]}, "_meta": {"title": "Keep"}},
}
INFO = {
    "LoadVideo": {
        "input": {"required": {"file": ["COMBO", {"options": [], "video_upload": True}]}}, "output": ["VIDEO"],
        "display_name": "Load Video",
    },
    "SaveVideo": {"input": {"required": {"video": ["VIDEO", {}]}}, "output": [], "output_node": True, "display_name": "Save Video"},
}
OUTPUTS = {
    "2": {"images": [{"filename": "v.mp4", "subfolder": "video", "type": "output"}], "animated": [True]},
    "3": {"gifs": [{"filename": "p.webp", "subfolder": "", "type": "temp"}], "text": ["hello"]},
}
FILES = {"v.mp4": b"a video" * 1000, "p.webp": b"a preview"}


class FakeServer:
    """Runs one workflow at once; a test sets what goes wrong."""

    def __init__(self):
        self.uploads, self.queued, self.deleted, self.interrupted, self.bodies = {}, [], [], [], []
        self.history, self.sockets = {}, {}
        self.connections = 0
        self.refusal = self.failure = None
        self.drop_socket = self.no_socket = self.forget = self.hold = False
        self.running = []

    def app(self):
        app = web.Application()
        app.add_routes([
            web.get("/object_info", self.info), web.get("/ws", self.socket), web.post("/prompt", self.prompt),
            web.get("/prompt", self.remaining),
            web.get("/history/{id}", self.look), web.get("/queue", self.queue), web.post("/queue", self.delete),
            web.post("/interrupt", self.interrupt), web.get("/view", self.view), web.post("/upload/image", self.upload),
        ])
        return app

    async def info(self, request):
        return web.json_response(INFO)

    async def remaining(self, request):
        return web.json_response({"exec_info": {"queue_remaining": len(self.running) + len(self.queued)}})

    async def socket(self, request):
        self.connections += 1
        if self.no_socket:
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[request.query["clientId"]] = socket
        await socket.send_json({"type": "status", "data": {}})
        await socket.send_bytes(b"\0\0\0\1preview")
        async for _ in socket:
            pass
        return socket

    async def prompt(self, request):
        body = await request.json()
        self.bodies.append(body)
        if self.refusal:
            return web.json_response(self.refusal, status=400)
        prompt_id = body["prompt_id"]
        self.running.append([0, prompt_id])
        self.task = asyncio.ensure_future(self.work(prompt_id, self.sockets.get(body["client_id"])))
        return web.json_response({"prompt_id": prompt_id, "number": 0, "node_errors": {}})

    async def work(self, prompt_id, socket):
        async def tell(event, **content):
            if socket is not None and not socket.closed:
                await socket.send_json({"type": event, "data": {"prompt_id": prompt_id, **content}})

        await asyncio.sleep(0.02)
        await tell("execution_start")
        await tell("execution_cached", nodes=["1"])
        await tell("executing", node="2")
        if self.drop_socket:
            await socket.close()
        await tell("progress", node="2", value=3, max=10)
        states = {"2": {"state": "running", "value": 4, "max": 10}, "1": {"state": "finished", "value": 1, "max": 1}}
        await tell("progress_state", nodes=states)
        while self.hold:
            await asyncio.sleep(0.01)
        if self.forget:
            self.running.clear()
            return
        if socket is not None and not socket.closed:
            await socket.send_json({"type": "executed", "data": {"prompt_id": "another", "node": "2", "output": {"text": ["not ours"]}}})
        await tell("executed", node="2", output=OUTPUTS["2"])
        messages = [["execution_start", {}]] + ([self.failure] if self.failure else [])
        await tell(*([self.failure[0]] if self.failure else ["execution_success"]))
        await asyncio.sleep(0.02)  # a real server tells of the end before the history has it
        status = {"status_str": "error" if self.failure else "success", "messages": messages}
        self.history[prompt_id] = {"outputs": OUTPUTS, "status": status}
        self.running.clear()

    async def look(self, request):
        key = request.match_info["id"]
        return web.json_response({key: self.history[key]} if key in self.history else {})

    async def queue(self, request):
        return web.json_response({"queue_running": self.running, "queue_pending": self.queued})

    async def delete(self, request):
        self.deleted += (await request.json())["delete"]
        return web.Response()

    async def interrupt(self, request):
        self.interrupted.append((await request.json())["prompt_id"])
        return web.Response()

    async def view(self, request):
        return web.Response(body=FILES[request.query["filename"]]) if request.query["filename"] in FILES else web.Response(status=404)

    async def upload(self, request):
        form = await request.post()
        name, contents = form["image"].filename, form["image"].file.read()
        while self.uploads.get(name, contents) != contents:
            name = "1" + name
        self.uploads[name] = contents
        return web.json_response({"name": name, "subfolder": "", "type": "input"})


@asynccontextmanager
async def serving(server):
    runner = web.AppRunner(server.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for socket in server.sockets.values():
            await socket.close()
        await runner.cleanup()
