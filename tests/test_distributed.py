"""Two real processes add, gather and share, also after torchrun has started them again."""

import subprocess
import sys
from pathlib import Path

from calm import distributed

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
