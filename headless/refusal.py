"""A ComfyUI server's refusals and failures, as one readable paragraph."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .prompt import Prompt, label, type_and_options

_STATUS = {
    401: "it wants a login", 403: "it forbids that", 404: "it has no such address; is it a ComfyUI server?",
    413: "the file is too big for it; start it with a greater --max-upload-size", 502: "the proxy before it cannot reach it",
    503: "it is not ready",
}


def explain_refusal(body: Mapping[str, Any], prompt: Prompt, url: str) -> str:
    """Explain an answer of /prompt that lists errors: node, input and reason of each, or the error of the whole."""
    reasons = [
        f"{_named(prompt, node_id)}: {_reason(error)}."
        for node_id, entry in (body.get("node_errors") or {}).items()
        for error in entry.get("errors", ())
    ]
    error = body.get("error")
    if not reasons and error:
        reasons = [f"{_reason(error)}." if isinstance(error, Mapping) else str(error)]
    return f"The ComfyUI server {url} refuses the workflow. " + " ".join(reasons)


def explain_failure(messages: list[Any], prompt: Prompt, url: str) -> str | None:
    """Explain the messages of a run's history; None when none of them tells of a failure."""
    for event, content in messages:
        if event == "execution_error":
            node = _named(prompt, str(content.get("node_id")))
            kind = str(content.get("exception_type", "")).rpartition(".")[2]
            return f"{node} failed on {url}: {kind}: {str(content.get('exception_message', '')).strip()}"
        if event == "execution_interrupted":
            return f"The run was interrupted on {url} at {_named(prompt, str(content.get('node_id')))}."
    return None


def explain_status(status: int, text: str, address: str) -> str:
    """Explain an HTTP status that is not 200."""
    reason = _STATUS.get(status) or (text.strip().splitlines() or [""])[0][:200]
    return f"{address} answers with HTTP {status}: {reason}."


def _named(prompt: Prompt, node_id: str) -> str:
    if node_id not in prompt:
        return f"Node {node_id}"
    name = label(prompt, node_id)
    return name[:1].upper() + name[1:]


def _reason(error: Mapping[str, Any]) -> str:
    message, details = str(error.get("message", "")).rstrip("."), str(error.get("details", "")).strip()
    extra = error.get("extra_info") or {}
    if extra.get("input_name") and details == extra["input_name"]:
        details = ""
    where = f"input {extra['input_name']}: " if extra.get("input_name") else ""
    _, options = type_and_options(extra.get("input_config") or (None,))
    limits = {key: options[key] for key in ("min", "max") if key in options}
    range_ = f" (range {json.dumps(limits.get('min'))} to {json.dumps(limits.get('max'))})" if limits else ""
    return f"{where}{message}{range_}" + (f" ({details})" if details else "")
