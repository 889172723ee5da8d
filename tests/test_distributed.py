"""Two real processes add, gather and share, also after torchrun has started them again."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from calm import distributed
from calm.errors import UserError

PROGRAM = """
import os, torch, distributed
process = distributed.init()
if process.rank == 1 and not distributed.is_restarted():
    os._exit(1)
distributed.barrier()
counts = torch.tensor([process.rank + 1, 10])
distributed.all_reduce_sum([counts])
assert counts.tolist() == [3, 20], counts
assert distributed.gather({"rank": process.rank}) == [{"rank": 0}, {"rank": 1}]
shares = distributed.gather(distributed.shard(list(range(7))))
assert sorted(sum(shares, [])) == list(range(7)), shares
distributed.barrier()
distributed.print0("told once")
distributed.finish()
"""


def test_two_processes_and_their_restart(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    repository = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=1"),
            str(script),
        ],
        cwd=repository,
        env={"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("told once") == 1


def test_alone_everything_is_mine():
    assert distributed.shard([1, 2, 3]) == [1, 2, 3]
    assert distributed.gather("x") == ["x"] and distributed.rank() == 0 and distributed.world_size() == 1


def test_a_process_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="`nproc_per_node`: process 3 of this machine has no GPU, it has 2"):
        distributed.init()


class Screen(io.StringIO):
    """Standard error, a terminal or not."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: terminal


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(monkeypatch):
    for terminal in (True, False):
        monkeypatch.setattr(distributed, "LINE_SECONDS", 0)
        monkeypatch.setattr("sys.stderr", Screen(terminal=terminal))
        bar = distributed.progress("abc", "letters")
        for number, _ in enumerate(bar):
            bar.set_postfix(loss=f"{number}.0")
        assert ("\r" in sys.stderr.getvalue()) == terminal and "letters" in sys.stderr.getvalue()
    lines = ["letters: 1 of 3, loss 0.0", "letters: 2 of 3, loss 1.0", "letters: 3 of 3, loss 2.0"]
    assert sys.stderr.getvalue().splitlines() == lines
