"""Follow a queued workflow: by the server's websocket while it lasts, by its history whenever that is silent."""
from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aiohttp

from .prompt import Hooks, Outputs, Prompt, ServerGoneError, WorkflowError, title
from .refusal import explain_failure

if TYPE_CHECKING:
    from .client import ComfyClient

log = logging.getLogger(__name__)

ENDINGS = ("execution_success", "execution_error", "execution_interrupted")
GRACE = 3
"""Looks at queue and history that may both miss a workflow, which passes from the one to the other, before it counts as lost."""


class Follower:
    """Follows one workflow of a client."""

    def __init__(self, client: ComfyClient, prompt: Prompt, hooks: Hooks) -> None:
        """Take the client that queues `prompt`, and the hooks to tell."""
        self._client, self._prompt, self._hooks = client, prompt, hooks
        self._socket: aiohttp.ClientWebSocketResponse[Any] | None = None
        self._seen: set[str] = set()
        self._lost = 0
        self._heard = time.monotonic()

    async def connect(self) -> None:
        """Open the websocket; without one (a proxy may not let it through) the history alone is followed."""
        try:
            address = f"{self._client.url}/ws?clientId={self._client.id}"
            # A heartbeat's answer begins the wait for a message anew, so it must come less often than that wait ends.
            heartbeat = max(self._client.timeout, 3 * self._client.poll)
            self._socket = await self._client.session.ws_connect(address, max_msg_size=0, heartbeat=heartbeat)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            log.info("no websocket to %s: %s", self._client.url, error)
            self._socket = None

    async def close(self) -> None:
        """Close the websocket."""
        if self._socket is not None:
            await self._socket.close()

    async def wait(self, prompt_id: str) -> Outputs:
        """Wait until a workflow has ended; gives what its output nodes show.

        Raises:
            WorkflowError: it failed or was interrupted, or the server forgot it or is gone.
        """
        while True:
            message = await self._next()
            if message is None or self._ends(message, prompt_id):
                entry = await self._look(prompt_id)
                if entry is not None:
                    return self._outputs(entry)
            else:
                self._tell(message, prompt_id)

    async def _next(self) -> Mapping[str, Any] | None:
        """The next message, or None when there was none for a while."""
        if self._socket is None or self._socket.closed:
            await asyncio.sleep(self._client.poll)
            await self.connect()
            return None
        try:
            message = await self._socket.receive(timeout=self._client.poll)
        except asyncio.TimeoutError:
            return None
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
            self._socket = None
            return None
        if message.type != aiohttp.WSMsgType.TEXT:
            return {}  # a preview image
        content = json.loads(message.data)
        return content if isinstance(content, Mapping) else {}

    def _ends(self, message: Mapping[str, Any], prompt_id: str) -> bool:
        return message.get("type") in ENDINGS and (message.get("data") or {}).get("prompt_id") == prompt_id

    async def _look(self, prompt_id: str) -> Mapping[str, Any] | None:
        """The workflow's entry in the history; None while it is queued or runs."""
        try:
            entry: Mapping[str, Any] | None = (await self._client.get(f"history/{prompt_id}")).get(prompt_id)
            if entry is not None:
                return entry
            queue = await self._client.get("queue")
        except WorkflowError as error:
            if time.monotonic() - self._heard > self._client.patience:
                raise
            log.info("%s", error)
            return None
        self._heard = time.monotonic()
        waiting = [*queue.get("queue_running", ()), *queue.get("queue_pending", ())]
        self._lost = 0 if any(item[1] == prompt_id for item in waiting) else self._lost + 1
        if self._lost >= GRACE:
            raise ServerGoneError(
                f"The ComfyUI server {self._client.url} no longer knows the workflow {prompt_id}: it was deleted from the queue, "
                "or the server was started again."
            )
        return None

    def _outputs(self, entry: Mapping[str, Any]) -> Outputs:
        status = entry.get("status") or {}
        failure = explain_failure(status.get("messages") or [], self._prompt, self._client.url)
        if failure is not None:
            raise WorkflowError(failure)
        if status.get("status_str") == "error":
            raise WorkflowError(f"The workflow failed on {self._client.url}, which does not say why; its log will.")
        return dict(entry.get("outputs") or {})

    def _tell(self, message: Mapping[str, Any], prompt_id: str) -> None:
        event, content = message.get("type"), message.get("data") or {}
        if content.get("prompt_id") != prompt_id:
            return
        if event == "execution_cached":
            self._seen.update(content.get("nodes") or ())
        elif event == "executing":
            self._enter(content.get("node"))
        elif event == "progress":
            self._hooks.progress(str(content.get("node")), int(content.get("value", 0)), int(content.get("max", 0)))
        elif event == "progress_state":
            for node_id, state in (content.get("nodes") or {}).items():
                if state.get("state") == "running":
                    self._enter(node_id)
                    self._hooks.progress(str(node_id), int(state.get("value", 0)), int(state.get("max", 0)))
        elif event == "executed" and isinstance(content.get("output"), Mapping):
            self._hooks.finished(str(content.get("node")), content["output"])

    def _enter(self, node_id: Any) -> None:
        if node_id in self._prompt and node_id not in self._seen:
            self._hooks.node(len(self._seen), len(self._prompt), title(self._prompt, node_id))
            self._seen.add(node_id)
