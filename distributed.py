"""Other processes: who am I, what is my share, and how do we add up."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from tqdm import tqdm

from calm.errors import UserError

Item = TypeVar("Item")
LINE_SECONDS = 30
"""Between two lines of progress where there is no terminal."""


class Process(NamedTuple):
    """This process among those ``torchrun`` started; alone it is rank 0 of 1."""

    rank: int
    world_size: int
    device: torch.device


def init() -> Process:
    """Join the process group where ``torchrun`` set one up (NCCL on GPUs, gloo on CPUs) and choose the device."""
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    use_cuda = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if use_cuda else torch.device("cpu")
    if use_cuda:
        if local_rank >= (gpus := torch.cuda.device_count()):
            raise UserError(f"`nproc_per_node`: process {local_rank + 1} of this machine has no GPU, it has {gpus}")
        torch.cuda.set_device(device)
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ and not dist.is_initialized():
        backend, device_id = ("nccl", device) if use_cuda else ("gloo", None)
        dist.init_process_group(backend, device_id=device_id, **_meeting_place())
    return Process(rank(), world_size(), device)


def _meeting_place() -> dict[str, Any]:
    """Where processes that ``torchrun`` started again on one machine find each other; elsewhere its own variables do.

    Its agent keeps one store over all starts, and the addresses of processes that are dead would be read from there.
    """
    environment = os.environ
    if not is_restarted() or environment.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return {}
    if environment.get("GROUP_WORLD_SIZE") != "1":  # agents of several machines count their starts differently
        return {}
    world = int(environment["WORLD_SIZE"])
    store = dist.TCPStore(environment["MASTER_ADDR"], int(environment["MASTER_PORT"]), world, is_master=False)
    start = dist.PrefixStore(f"start_{environment['TORCHELASTIC_RESTART_COUNT']}", store)
    return {"store": start, "rank": int(environment["RANK"]), "world_size": world}


def finish() -> None:
    """Leave the process group, where there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Index of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process writes files and prints."""
    return rank() == 0


def print0(*args: Any, flush: bool = True, **options: Any) -> None:
    """``print`` on rank 0, flushed."""
    if is_main():
        print(*args, flush=flush, **options)


class Lines(Generic[Item]):
    """The items, one by one; every half minute a line on standard error tells how far they are."""

    def __init__(self, items: Iterable[Item], title: str) -> None:
        self.items, self.title, self.facts = items, title, ""

    def __iter__(self) -> Iterator[Item]:
        total = f" of {len(self.items)}" if isinstance(self.items, Sized) else ""
        due = time.monotonic() + LINE_SECONDS
        for number, item in enumerate(self.items, start=1):
            yield item
            if time.monotonic() >= due:
                print(f"{self.title}: {number}{total}{self.facts}", file=sys.stderr, flush=True)
                due = time.monotonic() + LINE_SECONDS

    def set_postfix(self, **facts: str) -> None:
        """What the lines say beside the number, as in ``tqdm``."""
        self.facts = "".join(f", {name} {value}" for name, value in facts.items())


def progress(items: Iterable[Item], title: str) -> tqdm | Lines[Item]:
    """The items, one by one; rank 0 shows a bar where it has a terminal, else a line now and then."""
    if is_main() and not sys.stderr.isatty():
        return Lines(items, title)
    return tqdm(items, desc=title, disable=not is_main(), dynamic_ncols=True, mininterval=1, leave=False)


def shard(sequence: Sequence) -> Sequence:
    """This process's share, every ``world_size``-th item; over all processes each item is there once."""
    return sequence[rank() :: world_size()]


def barrier() -> None:
    """Wait for all processes."""
    if dist.is_initialized():
        dist.barrier()


def all_reduce_sum(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over all processes, in place."""
    if not dist.is_initialized():
        return
    on_gpu = dist.get_backend() == "nccl"
    for tensor in tensors:
        moved = tensor.cuda() if on_gpu else tensor
        dist.all_reduce(moved)
        if moved is not tensor:
            tensor.copy_(moved)


def share(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by that of rank 0, in place."""
    if not dist.is_initialized():
        return
    on_gpu = dist.get_backend() == "nccl"
    for tensor in tensors:
        moved = tensor.cuda() if on_gpu else tensor
        dist.broadcast(moved, src=0)
        if moved is not tensor:
            tensor.copy_(moved)


def is_restarted() -> bool:
    """Whether ``torchrun --max-restarts`` started the processes again after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0


def gather(item: Any) -> list[Any]:
    """The picklable ``item`` of every process, in rank order, in every process."""
    if not dist.is_initialized():
        return [item]
    items: list[Any] = [None] * world_size()
    dist.all_gather_object(items, item)
    return items
