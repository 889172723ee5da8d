"""A seeded campaign of faults against a run and its files: what is tried, what survives, what is lost.

    python benchmarks/faults.py --kills 100 --flips 200 --truncations 100 --full_disks 60 --twins 20 --metadata 60

A fault is lost if work that was written before cannot be had again, and silently wrong if a command ends well with
another result than without the fault. Both numbers should be 0.
"""

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import measure
import torch

from calm import errors, main
from calm.data_loaders import metadata
from calm.data_loaders.synthbirds import generate as synthbirds
from calm.errors import UserError
from calm.networks import load_network
from calm.runs import LAST

EPOCHS = 3
SURVIVED, LOST, WRONG = "survived", "lost", "silently wrong"


class Birds:
    """A small data set, and a run on it that nothing befell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        counts = {"train_per_class": 6, "val_per_class": 2, "test_per_class": 2}
        synthbirds.generate(folder / "dataset", folder / "metadata", num_classes=2, image_size=48, seed=0, **counts)
        assert self.finish(self.start("whole")) == 0
        self.weights = {1: self.state("whole")}
        assert self.finish(self.start("pair", processes=2)) == 0
        self.weights[2] = self.state("pair")

    def flags(self, name: str, *more: str) -> list[str]:
        places = [f"--{root}_root={self.folder / root}" for root in ("metadata", "save")]
        recipe = "--architecture=resnet18 --pretrained=False --crop_size=48 --batch_size=4 --workers=0 --seed=0"
        method = "--attribution_method=CALM_EM --em_target=ema --em_momentum=0.5"
        return [
            f"--experiment_name={name}",
            "--dataset=SynthBirds",
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
        code = errors.run(lambda: main.main(self.flags(name, *more)))
        os._exit(code)

    def finish(self, children: Sequence[int]) -> int:
        """The worst exit code; negative for a signal."""
        return max((os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), key=abs)

    def state(self, name: str) -> dict[str, torch.Tensor]:
        """Weights of a run's last checkpoint."""
        return torch.load(self.folder / "save" / name / LAST, weights_only=True)["state_dict"]

    def ends_well(self, name: str, processes: int = 1) -> str:
        """Resume, or start, and compare the weights with those of the run that nothing befell."""
        folder = self.folder / "save" / name
        begun = (folder / LAST).exists() or (folder / "config.yaml").exists()
        if self.finish(self.start(name, *(["--resume"] if begun else []), processes=processes)) != 0:
            return LOST
        expected, found = self.weights[processes], self.state(name)
        same = all(torch.equal(expected[key], found[key]) for key in expected)
        shutil.rmtree(folder)
        return SURVIVED if same else WRONG


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def kill(birds: Birds, rng: random.Random) -> str:
    """A run of one process or two ends at any moment."""
    processes = rng.choice((1, 2))
    children = birds.start("killed", processes=processes)
    time.sleep(rng.uniform(0.0, 6.0))
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    birds.finish(children)
    return birds.ends_well("killed", processes)


def full_disk(birds: Birds, rng: random.Random) -> str:
    """No file can grow beyond some size, as when a disk fills up; then there is room again."""
    code = birds.finish(birds.start("full", largest_file=int(10 ** rng.uniform(2, 8))))
    return LOST if code not in (0, 2) else birds.ends_well("full")


def twins(birds: Birds, rng: random.Random) -> str:
    """The same run is started twice at once: one goes through, the other is told."""
    first, second = birds.start("twins"), birds.start("twins")
    time.sleep(rng.uniform(0, 0.2))
    codes = sorted((birds.finish(first), birds.finish(second)))
    return birds.ends_well("twins") if codes == [0, 2] else LOST


def _opens_as_before(birds: Birds, content: bytes) -> str:
    path = birds.folder / "copy.pth.tar"
    path.write_bytes(content)
    try:
        found = load_network(path)[0].state_dict()
    except UserError:
        return SURVIVED
    expected = birds.weights[1]
    return SURVIVED if all(torch.equal(expected[key], found[key]) for key in expected) else WRONG


def flip(birds: Birds, rng: random.Random) -> str:
    """A bit of a checkpoint changes: it is refused, or the same network."""
    content = bytearray((birds.folder / "save" / "whole" / LAST).read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return _opens_as_before(birds, bytes(content))


def truncation(birds: Birds, rng: random.Random) -> str:
    """A checkpoint ends early: it is refused."""
    content = (birds.folder / "save" / "whole" / LAST).read_bytes()
    return _opens_as_before(birds, content[: rng.randrange(len(content))])


def metadata_change(birds: Birds, rng: random.Random) -> str:
    """A character of a list changes: the reading by columns says what the reading by lines says."""
    root = birds.folder / "changed"
    shutil.copytree(birds.folder / "metadata", root, dirs_exist_ok=True)
    path = rng.choice(sorted((root / "SynthBirds" / "test").glob("*.txt")))
    text = path.read_text()
    place = rng.randrange(len(text))
    path.write_text(text[:place] + rng.choice(",\n 0-_x\té") + text[place + 1 :])

    def outcome() -> object:
        try:
            return list(metadata.read_records(root, "SynthBirds", "test", num_classes=2))
        except UserError as error:
            return str(error)

    by_columns, whole = outcome(), metadata._read_columns
    metadata._read_columns = lambda *_: None
    by_lines = outcome()
    metadata._read_columns = whole
    return SURVIVED if by_columns == by_lines else WRONG


FAULTS: dict[str, Callable[[Birds, random.Random], str]] = {
    "kills": kill,
    "full_disks": full_disk,
    "twins": twins,
    "flips": flip,
    "truncations": truncation,
    "metadata": metadata_change,
}


def campaign(argv: Sequence[str] | None = None) -> None:
    """Run it and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    for name, fault in FAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=2, help=(fault.__doc__ or "").splitlines()[0])
    args = vars(parser.parse_args(argv))
    torch.set_num_threads(1)
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        birds = Birds(Path(folder))
        for name, fault in FAULTS.items():
            rng = random.Random(f"{args['seed']} {name}")
            outcomes[name] = Counter(fault(birds, rng) for _ in range(args[name]))
            print(name, dict(outcomes[name]), file=sys.stderr, flush=True)
    total = sum(outcomes.values(), Counter())
    measure.report(
        "faults",
        seed=args["seed"],
        tried=total.total(),
        survived=total[SURVIVED],
        lost=total[LOST],
        silently_wrong=total[WRONG],
        by_kind={name: dict(counts) for name, counts in outcomes.items()},
    )


if __name__ == "__main__":
    campaign()
