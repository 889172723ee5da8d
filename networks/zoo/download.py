"""One file over HTTP: streamed, resumed, checked, and whole or absent at the end."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from calm.errors import UserError

BLOCK = 1 << 18
TIMEOUT = 30
"""Seconds without a byte after which the server counts as gone."""
CONNECTION_ERRORS = (urllib.error.URLError, OSError, http.client.HTTPException)


class Interrupted(Exception):
    """The transfer ended early; what came is kept, to be resumed."""


def download(address: str, target: Path, *, sha256_prefix: str = "", size: int | None = None, title: str = "") -> str:
    """Fetch ``address`` into ``target``, continuing ``<target>.part`` where an earlier attempt left one.

    Args:
        address: http, https or file address.
        target: replaced only by a whole, checked file.
        sha256_prefix: beginning of the expected hash, "" if unknown.
        size: expected bytes, None if unknown.
        title: for the progress bar.

    Returns:
        The file's sha256.

    Raises:
        UserError: a web page came instead of the file, or size or hash differ.
        Interrupted: the connection failed or ended early.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if not address.startswith(("http://", "https://", "file://")):
        raise UserError(f"{address}: is no address; it should begin with https://, http:// or file://")
    try:
        total = transfer(address, part, title or target.name)
    except urllib.error.HTTPError as error:
        raise Interrupted(f"the server answers {error.code} {error.reason}") from error
    except CONNECTION_ERRORS as error:
        raise Interrupted(str(getattr(error, "reason", error))) from error
    refuse_web_page(part, address)
    received = part.stat().st_size
    expected = size if size is not None else total
    if expected is not None and received < expected:
        raise Interrupted(f"{received} of {expected} bytes came; the same command continues")
    digest = sha256(part)
    if (expected is not None and received != expected) or not digest.startswith(sha256_prefix):
        part.unlink()
        raise UserError(
            f"{address}: wrong content ({received} bytes, sha256 {digest[:8]}...; "
            f"expected {'any number of' if expected is None else expected} bytes, sha256 {sha256_prefix or 'any'}...)"
        )
    os.replace(part, target)
    return digest


def transfer(address: str, part: Path, title: str) -> int | None:
    """Append what ``part`` lacks, or rewrite it where the server cannot resume; returns the file's full size."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "calm", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
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
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, unit_divisor=1024, desc=title)
        with part.open("ab" if resumed else "wb") as file, bar:
            while block := response.read(BLOCK):
                file.write(block)
                bar.update(len(block))
    return total


def refuse_web_page(part: Path, address: str) -> None:
    """Some servers send a page without saying so in the header: look at the first bytes."""
    with part.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        part.unlink()
        raise UserError(web_page_message(address))


def web_page_message(address: str) -> str:
    """What to do when a page came in place of the file."""
    return (
        f"{address}: a web page came instead of the file (Google Drive sends one when too many people fetched the file "
        "today, or when it is no longer public); try again tomorrow, or fetch it in a browser"
    )


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
