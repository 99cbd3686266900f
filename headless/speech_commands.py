"""``talkies clean-speech``, ``export-reference`` and ``validate-reference``."""
from __future__ import annotations

from typing import Any

from . import speech

_COMMANDS = (
    ("clean-speech", "denoise, level and judge a voice track", speech.add_clean_speech, speech.clean_speech),
    ("export-reference", "write the reference data set of a speech, for ports", speech.add_export_reference, speech.export_reference),
    ("validate-reference", "compare a port's data set with a reference", speech.add_validate_reference, speech.validate_reference),
)


def add_parser(commands: Any) -> None:
    """Add the commands to the command line."""
    for name, text, add, call in _COMMANDS:
        parser = commands.add_parser(name, help=text)
        add(parser)
        parser.set_defaults(call=call)
