"""Files that are either whole or absent, written beside their place and renamed; their hash; one writer at a time."""

import errno
import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from calm.errors import UserError

_CANNOT_WRITE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.EFBIG,
}
"""What the system says of a full, read-only, broken or vanished place."""


def _beside(path: Path, owner: int | str) -> Path:
    """A short hidden name in the folder of ``path``, however long its own name is."""
    return path.with_name(f".{hashlib.blake2s(os.fsencode(path.name)).hexdigest()[:12]}.{owner}{path.suffix[-16:]}")


@contextmanager
def replacing(path: str | Path) -> Generator[Path, None, None]:
    """Yield a temporary path with the same suffix in the folder of ``path``; rename it to ``path`` on success.

    The folder is made where missing. The content is on the disk before the rename. On an exception the temporary file
    is removed and ``path`` stays as it was.

    Raises:
        UserError: the place is full, read-only, or gone.
    """
    path = Path(path)
    temporary = _beside(path, os.getpid())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        ours = error.filename is None or Path(os.fsdecode(error.filename)) in (temporary, path, *path.parents)
        if error.errno not in _CANNOT_WRITE or not ours:
            raise
        raise UserError(f"{path} cannot be written ({error.strerror}); an earlier file of the name is whole") from error
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    """Remove a file that may be away, in a folder that may be away or read-only too."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise


def remove_leftovers(path: str | Path) -> None:
    """Remove the temporary files that a killed process left while it was ``replacing`` ``path``."""
    path = Path(path)
    for leftover in path.parent.glob(_beside(path, "*").name):
        _remove(leftover)


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write ``content`` to ``path`` as UTF-8, atomically."""
    write_bytes(path, content.encode("utf-8"))


@contextmanager
def exclusive(path: str | Path, *, wait: float = 0.0) -> Generator[None, None, None]:
    """Hold ``path`` as a lock, so that one process at a time is in the block.

    The system gives the lock back when its owner ends, however that happens. Processes forked by the owner do not hold
    it. It keeps other processes out, not other threads of this one.

    Args:
        path: a file for the lock alone; it says who holds the lock. It and its folder are made where they are not
            there, and removed again, the folder where nothing else is in it.
        wait: seconds to wait for another process to give it back.

    Raises:
        UserError: another process holds it, with its machine, number and start; or the file cannot be made.
    """
    path = Path(path)
    is_new = not path.parent.exists()
    descriptor = _acquire(path, time.monotonic() + wait)
    try:
        owner = {"machine": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        _remove(path)  # while it is held: who opened it before finds another file, or none, in its place
        os.close(descriptor)
        if is_new:
            with suppress(OSError):  # something is in it, or another process waits there
                path.parent.rmdir()


def _acquire(path: Path, until: float) -> int:
    """Descriptor of the file of the lock, once this process holds it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror})") from error
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= until:
                owner = _owner(descriptor)
                os.close(descriptor)
                raise UserError(f"{path.parent} is in use by {owner}: wait for it, or end it") from None
            time.sleep(0.2)
        os.close(descriptor)


def _owner(descriptor: int) -> str:
    """Who holds a lock, as its file tells."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {owner['process']} on {owner['machine']} since {owner['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
