"""``talkies run WORKFLOW.json``: a workflow here, in this process, or on a ComfyUI server."""
from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from .builtin import Folders, builtin_nodes
from .client import ComfyClient, shown_files
from .execute import execute
from .object_info import object_info
from .overrides import apply_overrides
from .prompt import Hooks, ObjectInfo, Prompt, WorkflowError
from .workflow import is_ui, load_workflow, to_prompt


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("run", help="run a ComfyUI workflow (UI or API format), here or on a server")
    parser.add_argument("workflow", type=Path, metavar="WORKFLOW", help="a .json file, or a .png that ComfyUI saved")
    parser.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE", dest="overrides",
                        help="set an input; NODE is an id, a title or a class name; may be given again")
    parser.add_argument("--input-dir", type=Path, default=Path("input"), metavar="FOLDER", help="where loaders look; default: input")
    parser.add_argument("--output-dir", type=Path, default=Path("output"), metavar="FOLDER", help="where files go; default: output")
    parser.add_argument("--allow-paths", action="store_true", help="let loaders take files from outside of the input folder")
    parser.add_argument("--server", action="append", default=[], metavar="URL",
                        help="queue it on this ComfyUI server instead; of several, the one with the shortest queue")
    parser.set_defaults(call=main)


def main(options: argparse.Namespace) -> int:
    """Run the command."""
    hooks = Hooks(node=lambda index, count, title: print(f"[{index + 1}/{count}] {title}", flush=True))
    if options.server:
        made = run_on_server(options.workflow, options.server, options.output_dir, inputs=options.input_dir, overrides=options.overrides,
                             hooks=hooks)
    else:
        with tempfile.TemporaryDirectory(prefix="talkies-") as temp:
            folders = Folders(options.input_dir, options.output_dir, Path(temp), options.allow_paths)
            made = run_workflow(options.workflow, folders, overrides=options.overrides, hooks=hooks)
    for path in made:
        print(path)
    return 0


def run_workflow(path: Path, folders: Folders, *, overrides: Iterable[str] = (), hooks: Hooks | None = None) -> list[Path]:
    """Run a workflow file in this process, with the nodes of this pack and ComfyUI's loaders and savers.

    Args:
        path: a workflow of either format.
        folders: where nodes read and write.
        overrides: ``NODE.INPUT=VALUE`` each.
        hooks: told how it goes.

    Returns:
        The files saved to the output folder, in the order of their making; previews are not among them.

    Raises:
        WorkflowError: it cannot be read, is not valid, or fails.
    """
    classes = {**builtin_nodes(folders), **NODE_CLASS_MAPPINGS}
    definitions = object_info(classes, NODE_DISPLAY_NAME_MAPPINGS)
    prompt, extra = prepare(path, definitions, overrides)
    outputs = execute(prompt, classes, hooks=hooks, extra_pnginfo=extra)
    return [folders.path_of(shown) for shown in shown_files(outputs) if shown["type"] == "output"]


def run_on_server(
    path: Path, urls: Sequence[str], output: Path, *, inputs: Path | None = None, overrides: Iterable[str] = (),
    hooks: Hooks | None = None, headers: Mapping[str, str] | None = None,
) -> list[Path]:
    """Run a workflow file on a ComfyUI server and fetch what it saves.

    Args:
        path: a workflow of either format.
        urls: servers; the one with the shortest queue is taken.
        output: gets the files.
        inputs: where the files that loaders name are looked for, to be uploaded.
        overrides: ``NODE.INPUT=VALUE`` each.
        hooks: told how it goes.
        headers: sent with every request.

    Raises:
        WorkflowError: it cannot be read, is refused or fails, or no server can be reached.
    """
    return asyncio.run(_run_on_server(path, urls, output, inputs, overrides, hooks, headers))


def prepare(path: Path, definitions: ObjectInfo, overrides: Iterable[str] = ()) -> tuple[Prompt, dict[str, Any] | None]:
    """Read a workflow file; gives it in API format with the overrides applied, and what savers store beside that."""
    workflow = load_workflow(path)
    prompt = apply_overrides(to_prompt(workflow, definitions), overrides, definitions)
    return prompt, {"workflow": workflow} if is_ui(workflow) else None


async def _run_on_server(
    path: Path, urls: Sequence[str], output: Path, inputs: Path | None, overrides: Iterable[str], hooks: Hooks | None,
    headers: Mapping[str, str] | None,
) -> list[Path]:
    url = urls[0] if len(urls) == 1 else await least_busy(urls, headers)
    async with ComfyClient(url, headers=headers) as client:
        definitions = await client.object_info()
        prompt, extra = prepare(path, definitions, overrides)
        _, files = await client.run(
            prompt, output, object_info=definitions, inputs=inputs, hooks=hooks, extra_pnginfo=extra, kinds=("output",)
        )
    return files


async def least_busy(urls: Sequence[str], headers: Mapping[str, str] | None = None) -> str:
    """Give the server with the shortest queue, of those that answer.

    Raises:
        WorkflowError: none of them does; the message says why for each.
    """
    queues: dict[str, int] = {}
    failures = []
    for url in urls:
        async with ComfyClient(url, headers=headers, timeout=5) as client:
            try:
                queues[url] = await client.waiting()
            except WorkflowError as error:
                failures.append(str(error))
    if not queues:
        raise WorkflowError(" ".join(failures) or "No server is given.")
    return min(queues, key=lambda url: queues[url])
