"""Fetching one file over HTTP: with progress, going on where it broke off, checked before it gets its name."""
from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..core.weights import Checkpoint, WeightsError, check_file

TIMEOUT = 30
"""Seconds without a byte after which a connection counts as broken."""

TRIES = 4
"""Times a connection is made before giving up; each goes on where the one before broke off."""

_BLOCK = 1 << 18


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


def download(entry: Checkpoint, url: str, target: Path) -> None:
    """Fetch a checkpoint.

    What arrives lies beside `target` under a hidden name, with the server's mark of the file's version, so that a later call goes on
    from there if the file is still the same. A file of a wrong hash or size, or a web page instead of a file, is removed.

    Args:
        entry: what it should be.
        url: its address.
        target: its final name; the folder exists.

    Raises:
        WeightsError: the server cannot be reached or refuses, or the file is not what it should be.
    """
    part = target.with_name(f".{target.name}.part")
    mark = target.with_name(f".{target.name}.mark")
    for left in reversed(range(TRIES)):
        try:
            _fetch(url, part, mark, entry.name)
            break
        except urllib.error.HTTPError as error:
            raise WeightsError(f"{entry.name}: {url} answers {error.code} {error.reason}. Get {entry.file} by hand and put it into "
                               f"{target.parent}.") from error
        except (OSError, http.client.HTTPException, _BrokenOffError) as error:
            if left and part.is_file():  # it had begun, so the server is there
                continue
            kept = f" {part.stat().st_size / 1e6:.1f} MB are kept; the same command goes on from there." if mark.is_file() else ""
            raise WeightsError(f"{entry.name}: {url} cannot be read ({getattr(error, 'reason', None) or error}). Check the connection "
                               f"or the proxy, or get {entry.file} by hand and put it into {target.parent}.{kept}") from error
    try:
        refuse_page(part, url)
        check_file(entry, part)
    except WeightsError as error:
        raise WeightsError(f"{str(error).replace(str(part), url)} Nothing of it was kept.") from error
    else:
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
        mark.unlink(missing_ok=True)


def refuse_page(path: Path, url: str) -> None:
    """Refuse a web page or a Git LFS pointer in place of a file of weights.

    Raises:
        WeightsError: it is one, or it is empty.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if not head or head.lstrip()[:1] == b"<" or head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{url} gave {'nothing' if not head else 'a page'}, not a file of weights.")


def _fetch(url: str, part: Path, mark: Path, title: str) -> None:
    """Fetch what is missing of `part`."""
    have = part.stat().st_size if part.is_file() and mark.is_file() else 0
    headers = {"User-Agent": "talkies", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark.read_text(encoding="latin-1")}
    try:
        answer: Any = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        part.unlink()  # the server has no more bytes than these, or other ones; from the beginning then
        return _fetch(url, part, mark, title)
    with answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if answer.status == 206 and not goes_on:
            raise _BrokenOffError(f"the server sent another part than byte {have} and on")
        have = have if goes_on else 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        _remember(mark, answer.headers)
        with part.open("ab" if goes_on else "wb") as file, _bar(title, have, total) as bar:
            while block := answer.read(_BLOCK):
                file.write(block)
                bar.update(len(block))
        if total > have and part.stat().st_size < total:
            raise _BrokenOffError(f"it broke off after {part.stat().st_size} of {total} bytes")
    return None


def _remember(mark: Path, headers: Any) -> None:
    """Keep the server's mark of this version of the file; without one (or with a weak one) a broken download starts over."""
    etag = headers.get("ETag", "")
    version = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    if version and headers.get("Accept-Ranges", "bytes") != "none":
        mark.write_text(version, encoding="latin-1")
    else:
        mark.unlink(missing_ok=True)


def _bar(title: str, have: int, total: int) -> Any:
    return tqdm(desc=title, initial=have, total=total or None, unit="B", unit_scale=True, leave=False, disable=None)
