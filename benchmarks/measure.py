"""Timing and memory for the benchmarks: medians of interleaved runs, peaks of fresh processes."""

import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, the repository is not on the path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


def synchronize() -> None:
    """Wait for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def own_clock() -> Callable[[], float]:
    """Wall time where there is a GPU; else processor time, which other jobs do not lengthen."""
    return time.perf_counter if torch.cuda.is_available() else time.process_time


def seconds_of(function: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Wall time of one call, or what else ``clock`` measures."""
    synchronize()
    start = clock()
    function()
    synchronize()
    return clock() - start


def compare(
    functions: dict[str, Callable[[], Any]],
    *,
    repeats: int = 5,
    of: Callable[[list[float]], float] = statistics.median,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median wall time of each function; one warm-up each, then in turns so that a noisy clock hits all alike.

    ``of`` may be ``min`` and ``clock`` ``time.process_time``: the time without what else the machine does.
    """
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds_of(function, clock))
    return {name: of(values) for name, values in times.items()}


def peak_bytes(function: Callable[[], Any]) -> int:
    """Most memory that ``function`` had allocated at once beyond what was there before (GPU: exact; CPU: resident)."""
    if torch.cuda.is_available():
        synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        synchronize()
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak of the resident set
    before = _status("VmRSS")
    function()
    return _status("VmHWM") - before


def give_blocks_back() -> None:
    """On the CPU, tell the allocator to give every large block back at once, before ``peak_bytes``.

    A block that it keeps for later would hide the next one from the resident set.
    """
    if not torch.cuda.is_available():
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 64 * 1024)
        libc.mallopt(M_TRIM_THRESHOLD, 0)


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def in_fresh_process(script: str, *arguments: str) -> Any:
    """Run ``script`` with ``arguments`` in a new interpreter and return the JSON on its last line."""
    done = subprocess.run(
        [sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True, check=True, env=os.environ
    )
    return json.loads(done.stdout.splitlines()[-1])


def report(benchmark: str, **figures: Any) -> None:
    """Print one JSON object with the machine it was measured on."""
    machine = {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine() + " CPU",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(json.dumps({"benchmark": benchmark, **figures, "machine": machine}))
