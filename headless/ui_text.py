"""The texts that the page rewrites as it queues: file name patterns of the savers, and prompts with choices."""
from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import datetime

SAVERS = frozenset({
    "CLIPSave", "LoraSave", "ModelSave", "SaveAnimatedPNG", "SaveAnimatedWEBP", "SaveAudio", "SaveAudioMP3", "SaveAudioOpus",
    "SaveGLB", "SaveImage", "SaveLatent", "SaveVideo", "SaveWEBM", "VAESave",
})
"""The nodes whose ``filename_prefix`` holds patterns."""

_PATTERN = re.compile("%([^%]+)%")
_FORBIDDEN = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_DATE = re.compile("yyyy|yy|MM|M|dd|d|hh|h|mm|m|ss|s")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_ESCAPED = re.compile(r"\\([{}|])")


def fill_patterns(text: str, widget: Callable[[str, str], object | None], now: datetime) -> str:
    """Replace ``%date:yyyy-MM-dd%`` by a date and ``%Node.widget%`` by that widget's value, as in the page's savers.

    Args:
        text: a file name prefix.
        widget: gives the value of a widget by its node's name and its own; None leaves the pattern as it stands.
        now: the time to write.
    """

    def fill(match: re.Match[str]) -> str:
        if match[1].startswith("date:"):
            return format_date(match[1][5:], now)
        name, _, inner = match[1].partition(".")
        value = widget(name, inner) if inner and "." not in inner else None
        return match[0] if value is None else _FORBIDDEN.sub("_", str(value))

    return _PATTERN.sub(fill, text)


def format_date(pattern: str, now: datetime) -> str:
    """Write a time by a pattern of yyyy, yy, MM, M, dd, d, hh, h, mm, m, ss, s."""
    numbers = {"M": now.month, "d": now.day, "h": now.hour, "m": now.minute, "s": now.second}

    def write(match: re.Match[str]) -> str:
        part = match[0]
        if part[0] == "y":
            return str(now.year) if len(part) == 4 else f"{now.year % 100:02d}"
        return f"{numbers[part[0]]:0{len(part)}d}"

    return _DATE.sub(write, pattern)


def choose(text: str, choices: random.Random) -> str:
    """Settle a dynamic prompt: comments go, and ``{one|two}`` becomes one of the two, at any depth."""
    return _ESCAPED.sub(r"\1", _settle(_COMMENT.sub("", text), choices))


def _settle(text: str, choices: random.Random) -> str:
    settled, place = "", 0
    while place < len(text):
        character = text[place]
        place += 1
        if character == "\\":
            settled += text[place - 1 : place + 1]
            place += 1
        elif character == "{":
            options, place = _options(text, place)
            settled += _settle(choices.choice(options), choices)
        else:
            settled += character
    return settled


def _options(text: str, place: int) -> tuple[list[str], int]:
    """The alternatives of the block that opens before `place`, and where the text goes on behind it."""
    options, depth = [""], 0
    while place < len(text):
        character = text[place]
        place += 1
        if character == "\\":
            options[-1] += text[place - 1 : place + 1]
            place += 1
            continue
        if character == "}" and not depth:
            break
        depth += (character == "{") - (character == "}")
        if character == "|" and not depth:
            options.append("")
        else:
            options[-1] += character
    return options, place
