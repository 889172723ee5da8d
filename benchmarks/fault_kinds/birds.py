"""A small data set, runs on it, and the same run that nothing befell to compare with."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from calm import errors, main
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.networks.trunks import TRUNKS
from calm.runs import LAST
from tests.tiny_networks import TinyTrunk

EPOCHS = 3
SURVIVED, LOST, WRONG = "survived", "lost", "silently wrong"


class Birds:
    """A data set in ``folder``, and in save/ a whole run of one process, one of two, and one of an epoch less."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self.folder, self.architecture = folder, architecture
        TRUNKS.setdefault("tiny", TinyTrunk)
        counts = {"train_per_class": 6, "val_per_class": 2, "test_per_class": 2}
        synthbirds.generate(folder / "dataset", folder / "metadata", num_classes=2, image_size=48, seed=0, **counts)
        self.weights: dict[int, dict[str, torch.Tensor]] = {}
        self.seconds: dict[int, float] = {}
        for name, processes in (("whole", 1), ("pair", 2)):
            start = time.perf_counter()
            assert self.finish(self.start(name, processes=processes)) == 0, self.log(name)
            self.weights[processes], self.seconds[processes] = self.state(name), time.perf_counter() - start
        assert self.finish(self.start("part", f"--epochs={EPOCHS - 1}")) == 0, self.log("part")

    def flags(self, name: str, *more: str) -> list[str]:
        """Of main.py."""
        places = [f"--{root}_root={self.folder / root}" for root in ("metadata", "save")]
        recipe = "--pretrained=False --crop_size=48 --batch_size=4 --workers=0 --seed=0"
        method = "--attribution_method=CALM_EM --em_target=ema --em_momentum=0.5"
        return [
            f"--experiment_name={name}",
            "--dataset=SynthBirds",
            f"--architecture={self.architecture}",
            f"--data_root={self.folder / 'dataset'}",
            *places,
            *recipe.split(),
            *method.split(),
            f"--epochs={EPOCHS}",
            *more,
        ]

    def start(self, name: str, *more: str, processes: int = 1, largest_file: int | None = None) -> list[int]:
        """Process numbers of a run that was started: forked, since importing torch takes longer than to train."""
        port = _free_port()
        return [self._fork(name, more, rank, processes, port, largest_file) for rank in range(processes)]

    def _fork(
        self, name: str, more: Sequence[str], rank: int, processes: int, port: int, largest_file: int | None
    ) -> int:
        child = os.fork()
        if child:
            return child
        if processes > 1:
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1"}
            os.environ |= {"MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
        log = os.open(self.folder / f"{name}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if largest_file is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails, as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        code = 1
        try:
            code = errors.run(lambda: main.main(self.flags(name, *more)))
        finally:
            os._exit(code)

    def finish(self, children: Sequence[int]) -> int:
        """The worst exit code; negative for a signal."""
        return max((os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), key=abs)

    def kill(self, children: Sequence[int], with_signal: int = signal.SIGKILL) -> None:
        """End them."""
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, with_signal)

    def log(self, name: str) -> str:
        """The end of what a run printed."""
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def run_folder(self, name: str) -> Path:
        """Of a run."""
        return self.folder / "save" / name

    def state(self, name: str) -> dict[str, torch.Tensor]:
        """Weights of a run's last checkpoint."""
        return torch.load(self.run_folder(name) / LAST, weights_only=True)["state_dict"]

    def go_on(self, name: str) -> list[str]:
        """``--resume`` where the run has begun."""
        folder = self.run_folder(name)
        return ["--resume"] if (folder / LAST).exists() or (folder / "config.yaml").exists() else []

    def ends_well(self, name: str, processes: int = 1) -> str:
        """Resume, or start, and compare the weights with those of the run that nothing befell."""
        if self.finish(self.start(name, *self.go_on(name), processes=processes)) != 0:
            return LOST
        return self.compared(name, processes)

    def compared(self, name: str, processes: int = 1) -> str:
        """Whether a run that came to its end has the right weights; it is removed if so."""
        if not same_tensors(self.weights[processes], self.state(name)):
            return WRONG
        self.remove(name)
        return SURVIVED

    def remove(self, name: str) -> None:
        """Forget a run."""
        shutil.rmtree(self.run_folder(name), ignore_errors=True)
        (self.folder / f"{name}.log").unlink(missing_ok=True)


def same_tensors(expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> bool:
    """Whether names and values are equal, bit for bit."""
    return expected.keys() == found.keys() and all(torch.equal(expected[key], found[key]) for key in expected)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
