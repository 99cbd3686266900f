"""Run a workflow on a ComfyUI server: upload its inputs, queue it, follow it, fetch what it made."""
from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import aiohttp

from .follow import Follower
from .prompt import Hooks, ObjectInfo, Outputs, Prompt, ServerGoneError, WorkflowError, input_specs
from .refusal import explain_refusal, explain_status

log = logging.getLogger(__name__)

UPLOADS = ("image_upload", "video_upload", "audio_upload", "animated_image_upload")
"""Options by which an input says that it names a file of the input folder."""

FETCHED = ("output", "temp")


class ComfyClient:
    """One ComfyUI server, talked to over HTTP and its websocket. Use it as ``async with ComfyClient(url) as client``."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 30.0, poll: float = 1.0,
                 patience: float = 60.0) -> None:
        """Take the address of a server.

        Args:
            url: e.g. ``http://127.0.0.1:8188``; a path is kept, for servers behind a proxy.
            headers: sent with every request, e.g. for that proxy.
            timeout: seconds until a server that does not answer counts as gone.
            poll: seconds between two looks at the queue while the websocket is silent or down.
            patience: seconds that the server may be out of reach before its workflow is given up.
        """
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        self.id = uuid.uuid4().hex
        self.poll, self.timeout, self.patience = poll, timeout, patience
        self._headers = dict(headers or {})
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> ComfyClient:
        """Open the connection pool."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self.timeout, sock_read=self.timeout)
        self._opened = aiohttp.ClientSession(headers=self._headers, timeout=limits)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open connection pool."""
        if self._opened is None:
            raise RuntimeError("ComfyClient is used outside of `async with`.")
        return self._opened

    async def object_info(self) -> ObjectInfo:
        """Give the definitions of the nodes that the server has."""
        found: ObjectInfo = await self.get("object_info")
        return found

    async def get(self, path: str) -> Any:
        """GET a path and read its JSON.

        Raises:
            WorkflowError: the server cannot be reached or refuses.
        """
        return await self._json("GET", path)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST JSON to a path and read the answer's JSON, None where it has none.

        Raises:
            WorkflowError: the server cannot be reached or refuses.
        """
        return await self._json("POST", path, json=body)

    async def run(
        self, prompt: Prompt, folder: Path, *, object_info: ObjectInfo, inputs: Path | None = None, hooks: Hooks | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None, kinds: Sequence[str] = FETCHED,
    ) -> tuple[Outputs, list[Path]]:
        """Upload, queue, follow, fetch. When it is cancelled (Ctrl-C) the server is told to drop this workflow, and only this one.

        Args:
            prompt: the workflow in API format.
            folder: gets the files that it makes.
            object_info: the server's node definitions; they tell which inputs name files.
            inputs: where local input files are looked for, besides the working folder.
            hooks: told how it goes.
            extra_pnginfo: stored by savers beside the prompt.
            kinds: which files to fetch: those saved (``output``) and those only shown (``temp``).

        Returns:
            What the output nodes show, by node id, and the files fetched.

        Raises:
            WorkflowError: the workflow is refused or fails, or the server is gone.
        """
        prompt = await self.upload_inputs(prompt, object_info, inputs)
        follower = Follower(self, prompt, hooks or Hooks())
        await follower.connect()
        prompt_id = str(uuid.uuid4())
        try:
            prompt_id = await self.queue(prompt, extra_pnginfo, prompt_id)
            outputs = await follower.wait(prompt_id)
        except asyncio.CancelledError:
            try:
                await asyncio.shield(self.cancel(prompt_id))
            except WorkflowError as error:
                log.warning("The workflow may go on: %s", error)
            raise
        finally:
            await follower.close()
        return outputs, [await self.fetch(shown, folder) for shown in shown_files(outputs) if shown["type"] in kinds]

    async def upload_inputs(self, prompt: Prompt, object_info: ObjectInfo, inputs: Path | None = None) -> Prompt:
        """Upload the local files that inputs name, and give the workflow with their names on the server; others stay as they are."""
        changed = {node_id: {**node, "inputs": dict(node["inputs"])} for node_id, node in prompt.items()}
        for node in changed.values():
            for name, (_, _, options) in input_specs(object_info.get(str(node["class_type"]), {})).items():
                value = node["inputs"].get(name)
                if isinstance(value, str) and any(options.get(upload) for upload in UPLOADS):
                    places = [Path(value)] if inputs is None else [inputs / value, Path(value)]
                    local = next((place for place in places if place.is_file()), None)
                    node["inputs"][name] = value if local is None else await self.upload(local)
        return changed

    async def upload(self, file: Path) -> str:
        """Put a file into the server's input folder; gives its name there, which differs when another file has it already."""
        form = aiohttp.FormData()
        with file.open("rb") as contents:
            form.add_field("image", contents, filename=file.name)
            answer = await self._json("POST", "upload/image", data=form)
        subfolder = answer.get("subfolder")
        return f"{subfolder}/{answer['name']}" if subfolder else str(answer["name"])

    async def queue(self, prompt: Prompt, extra_pnginfo: Mapping[str, Any] | None = None, prompt_id: str | None = None) -> str:
        """Queue a workflow; gives its id.

        Raises:
            WorkflowError: the server refuses it; the message names nodes, inputs and reasons.
        """
        body: dict[str, Any] = {"prompt": prompt, "client_id": self.id, "extra_data": {"extra_pnginfo": extra_pnginfo or {}}}
        if prompt_id is not None:
            body["prompt_id"] = prompt_id  # older servers choose their own
        async with self._request("POST", "prompt", json=body) as answer:
            if answer.status not in (200, 400):
                await self._refuse(answer, "prompt")
            content = await answer.json(content_type=None)
        if answer.status == 400:
            raise WorkflowError(explain_refusal(content, prompt, self.url))
        if content.get("node_errors"):
            log.warning("%s", explain_refusal(content, prompt, self.url))
        return str(content["prompt_id"])

    async def waiting(self) -> int:
        """Count the workflows that the server runs or has queued."""
        return int((await self.get("prompt"))["exec_info"]["queue_remaining"])

    async def cancel(self, prompt_id: str) -> None:
        """Take a workflow out of the queue, or interrupt it when it is the one that runs. Other people's workflows go on."""
        await self.post("queue", {"delete": [prompt_id]})  # first, so that it cannot start between the look and the interrupt
        running = (await self.get("queue")).get("queue_running", ())
        if any(entry[1] == prompt_id for entry in running):
            await self.post("interrupt", {"prompt_id": prompt_id})

    async def fetch(self, shown: Mapping[str, str], folder: Path) -> Path:
        """Download a file that an output node shows into `folder`, under its sub-folder. A different file of that name is kept."""
        target = (folder / shown.get("subfolder", "") / shown["filename"]).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise WorkflowError(f"The server names a file outside of its folder: {shown.get('subfolder')}/{shown['filename']}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
        query = {key: shown.get(key, "") for key in ("filename", "subfolder", "type")}
        try:
            async with self._request("GET", "view", params=query) as answer:
                if answer.status != 200:
                    await self._refuse(answer, f"view of {shown['filename']}")
                with part.open("wb") as file:
                    async for chunk in answer.content.iter_chunked(1 << 20):
                        file.write(chunk)
            target = _free(target, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    async def _json(self, method: str, path: str, **request: Any) -> Any:
        async with self._request(method, path, **request) as answer:
            if answer.status != 200:
                await self._refuse(answer, path)
            return await answer.json(content_type=None) if await answer.read() else None

    @asynccontextmanager
    async def _request(self, method: str, path: str, **request: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self.session.request(method, f"{self.url}/{path}", **request) as answer:
                yield answer
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, asyncio.TimeoutError) as error:
            raise ServerGoneError(f"The ComfyUI server {self.url} cannot be reached ({error or type(error).__name__}).") from error

    async def _refuse(self, answer: aiohttp.ClientResponse, path: str) -> NoReturn:
        raise WorkflowError(explain_status(answer.status, await answer.text(), f"{self.url}/{path}"))


def shown_files(outputs: Outputs) -> list[Mapping[str, str]]:
    """List the files among what output nodes show: every entry with a ``filename``, whatever list it stands in."""
    return [
        {"subfolder": "", "type": "output", **entry}
        for shown in outputs.values() for entries in shown.values() if isinstance(entries, list)
        for entry in entries if isinstance(entry, Mapping) and "filename" in entry
    ]


def _free(target: Path, part: Path) -> Path:
    """A name that no other file has; a file with the very same contents may be replaced."""
    candidate, number = target, 1
    while candidate.exists() and (candidate.stat().st_size != part.stat().st_size or candidate.read_bytes() != part.read_bytes()):
        candidate = target.with_name(f"{target.stem} ({number}){target.suffix}")
        number += 1
    return candidate
