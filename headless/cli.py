"""The command line ``talkies``: one module a command, one paragraph an error."""
from __future__ import annotations

import argparse
import logging
import sys
import textwrap
import traceback
from collections.abc import Sequence

from . import (
    align,
    batch,
    compare_clips,
    convert,
    demo,
    doctor,
    grain,
    lipsync,
    models,
    paste,
    render,
    run,
    speech_commands,
    sync,
)

COMMANDS = (
    run,
    batch,
    convert,
    render,
    align,
    paste,
    lipsync,
    grain,
    compare_clips,
    sync,
    speech_commands,
    models,
    demo,
    doctor,
)
"""The modules of the commands; each has ``add_parser(subparsers)``, which sets `call`."""

CANCELLED = 130
"""Exit status after Ctrl-C, as shells expect it."""


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    top = argparse.ArgumentParser(prog="talkies", description="Talking-head video: the nodes of ComfyUI-Talkies without ComfyUI.")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    top.add_argument("--verbose", "-v", action="store_true", help="log what is decided along the way")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status: 0 done, 1 an error, 2 a usage error, 130 cancelled."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        status: int = options.call(options) or 0
    except KeyboardInterrupt:
        print("talkies: cancelled; nothing half-written is left.", file=sys.stderr)
        return CANCELLED
    except Exception as error:  # noqa: BLE001  the top of the program: every error becomes one paragraph
        if options.debug:
            traceback.print_exc()
        print(paragraph(error), file=sys.stderr)
        return 1
    return status


def paragraph(error: BaseException) -> str:
    """Write an error as one readable paragraph. One that the pack did not foresee says its type and how to see more."""
    foreseen = isinstance(error, (ValueError, OSError, RuntimeError)) and str(error)
    text = str(error) if foreseen else f"{type(error).__name__}: {error} (run again with --debug for the traceback)"
    return textwrap.fill(f"talkies: {text}", 120, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)


if __name__ == "__main__":
    sys.exit(main())
