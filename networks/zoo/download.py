"""One file over HTTP: streamed, resumed where it is still the same file, checked, and whole or absent at the end."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from calm.atomic import sha256, write_text
from calm.errors import UserError

BLOCK = 1 << 18
TIMEOUT = 30
"""Seconds without a byte after which the server counts as gone."""
STALL_SECONDS, STALL_BYTES = 60.0, 16 * 1024
"""A transfer of fewer bytes in so many seconds counts as stalled."""
CONNECTION_ERRORS = (urllib.error.URLError, OSError, http.client.HTTPException)
PAGE_SIGNS = (b"<!doctype", b"<html", b"<?xml", b"<head")


class Interrupted(Exception):
    """The transfer ended early; what came is kept, to be resumed."""


def download(
    address: str,
    target: Path,
    *,
    sha256_prefix: str = "",
    size: int | None = None,
    title: str = "",
    check: Callable[[Path], object] = lambda path: None,
) -> str:
    """Fetch ``address`` into ``target``, continuing ``<target>.part`` where an earlier attempt left one of it.

    Args:
        address: http or https address.
        target: replaced only by a whole, checked file.
        sha256_prefix: beginning of the expected hash, "" if unknown.
        size: expected bytes, None if unknown.
        title: for the progress bar.
        check: opens what came and raises a ``UserError`` if it is not what it should be.

    Returns:
        The file's sha256.

    Raises:
        UserError: a web page or nothing came instead of the file, size or hash differ, or ``check`` refused it; what
            came is removed.
        Interrupted: the connection failed, stalled or ended early.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if not address.startswith(("http://", "https://")):
        raise UserError(f"{address}: is no address; it should begin with https:// or http://")
    try:
        total = transfer(address, part, title or target.name)
    except urllib.error.HTTPError as error:
        raise Interrupted(f"the server answers {error.code} {error.reason}") from error
    except CONNECTION_ERRORS as error:
        raise Interrupted(str(getattr(error, "reason", error))) from error
    received = part.stat().st_size
    expected = size if size is not None else total
    if expected is not None and received < expected:
        raise Interrupted(f"{received} of {expected} bytes came; the same command continues")
    try:
        digest = _checked(part, address, expected, sha256_prefix)
        check(part)
    except UserError:
        part.unlink()
        note_of(part).unlink(missing_ok=True)
        raise
    os.replace(part, target)
    note_of(part).unlink(missing_ok=True)
    return digest


def _checked(part: Path, address: str, expected: int | None, sha256_prefix: str) -> str:
    """The hash of what came, which is no page, not empty, and of the right size and hash as far as they are known."""
    received = part.stat().st_size
    refuse_web_page(part, address)
    digest = sha256(part)
    if not received or (expected is not None and received != expected) or not digest.startswith(sha256_prefix):
        raise UserError(
            f"{address}: wrong content ({received} bytes, sha256 {digest[:8]}...; "
            f"expected {'any number of' if expected is None else expected} bytes, sha256 {sha256_prefix or 'any'}...)"
        )
    return digest


def note_of(part: Path) -> Path:
    """Beside a part: from where it is, and what the server calls this state of the file."""
    return part.with_name(part.name + ".json")


def _known_part(part: Path, address: str) -> tuple[int, str]:
    """Bytes of the part that this address gave, and the server's mark of it; a part of another file is removed."""
    try:
        note = json.loads(note_of(part).read_text(encoding="utf-8"))
        if note["address"] == address and part.is_file():
            return part.stat().st_size, str(note["mark"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    part.unlink(missing_ok=True)
    return 0, ""


def transfer(address: str, part: Path, title: str) -> int | None:
    """Append what ``part`` lacks, or rewrite it where the file changed or the server cannot resume; the full size."""
    have, mark = _known_part(part, address)
    headers = {"User-Agent": "calm", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-"} | ({"If-Range": mark} if mark else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: nothing is left to send, or the part is not of this file
            raise
        if error.headers.get("Content-Range", "") == f"bytes */{have}":
            return have
        part.unlink()
        return transfer(address, part, title)
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status == 206 and not resumed:
            part.unlink()
            return transfer(address, part, title)
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        if response.headers.get_content_type() == "text/html":
            raise UserError(web_page_message(address))
        write_text(note_of(part), json.dumps({"address": address, "mark": _mark(response.headers)}))
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, unit_divisor=1024, desc=title, disable=None)
        with part.open("ab" if resumed else "wb") as file, bar:
            _receive(response, file.write, bar.update)
    return total


def _mark(headers: http.client.HTTPMessage) -> str:
    """What If-Range may ask for: a strong ETag, else the date of the last change, else nothing."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _receive(
    response: http.client.HTTPResponse, write: Callable[[bytes], object], show: Callable[[int], object]
) -> None:
    """Write what comes; a server that sends next to nothing for a minute counts as gone."""
    since, received = time.monotonic(), 0
    while block := response.read1(BLOCK):
        write(block)
        show(len(block))
        received += len(block)
        if time.monotonic() - since > STALL_SECONDS:
            if received < STALL_BYTES:
                raise Interrupted(f"the transfer stalled: {received} bytes in {STALL_SECONDS:g} seconds")
            since, received = time.monotonic(), 0


def refuse_web_page(part: Path, address: str) -> None:
    """Some servers send a page without saying so in the header: look at the first bytes."""
    with part.open("rb") as file:
        start = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(PAGE_SIGNS):
        raise UserError(web_page_message(address))


def web_page_message(address: str) -> str:
    """What to do when a page came in place of the file."""
    return (
        f"{address}: a web page came instead of the file (Google Drive sends one when too many people fetched the file "
        "today, or when it is no longer public); try again tomorrow, or fetch it in a browser"
    )
