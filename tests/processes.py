"""A script's main in processes of its own: forked from the tests, hence with nothing to import again."""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch

from calm import errors

Main = Callable[[Sequence[str]], None]
TIMEOUT = 240  # seconds


class Started:
    """``main(words)`` at work in another process, on the CPU."""

    def __init__(self, main: Main, words: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115, read when the process has ended
        context: Any = multiprocessing.get_context("fork")
        self.process = context.Process(target=self.work, args=(main, words, environment or {}))
        self.process.start()

    def work(self, main: Main, words: Sequence[str], environment: dict[str, str]) -> None:
        """What the other process does; its exit status is that of the script."""
        for stream in (1, 2):
            os.dup2(self.output.fileno(), stream)
        sys.stdout = sys.stderr = os.fdopen(os.dup(self.output.fileno()), "w", buffering=1)
        os.environ.update(environment)
        torch.cuda.is_available = lambda: False
        sys.exit(errors.run(lambda: main(words)))

    def kill(self) -> None:
        """As ``kill -9`` does; it must be at work still."""
        self.process.kill()
        self.process.join()
        assert self.process.exitcode == -signal.SIGKILL, self.text()

    def text(self) -> str:
        """What it has printed."""
        self.output.seek(0)
        return self.output.read()

    def finished(self) -> str:
        """Wait for its end, which must be a good one; what it printed."""
        self.process.join(TIMEOUT)
        assert self.process.exitcode == 0, self.text()
        return self.text()


def in_two_processes(main: Main, words: Sequence[str], **environment: str) -> None:
    """``main(words)`` in two processes that find each other as those of ``torchrun`` do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = environment | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    both = [Started(main, words, shared | {"RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")]
    for each in both:
        each.finished()
