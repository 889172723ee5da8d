"""Faults that befall a run: kills, full disks, folders that go away, twins."""

import random
import signal
import time

from fault_kinds.birds import LOST, Birds


def _killed(birds: Birds, rng: random.Random, name: str, processes: int) -> str:
    """Start, kill, perhaps resume and kill again; then it must end as if nothing had happened."""
    for _ in range(rng.choice((1, 1, 2))):
        children = birds.start(name, *birds.go_on(name), processes=processes)
        time.sleep(rng.uniform(0.0, 1.1 * birds.seconds[processes]))
        birds.kill(children[: rng.randint(1, processes)])
        time.sleep(rng.choice((0.0, 0.5)))
        birds.kill(children, signal.SIGTERM)  # as torchrun does to those that are left alone
        birds.finish(children)
    return birds.ends_well(name, processes)


def kill(birds: Birds, rng: random.Random) -> str:
    """A run of one process is killed at any moment, perhaps twice."""
    return _killed(birds, rng, "killed", 1)


def pair_kill(birds: Birds, rng: random.Random) -> str:
    """One or both processes of a run of two are killed at any moment, perhaps twice."""
    return _killed(birds, rng, "killed_pair", 2)


def full_disk(birds: Birds, rng: random.Random) -> str:
    """No file can grow beyond some size, as when a disk fills up; then there is room again."""
    code = birds.finish(birds.start("full", largest_file=int(10 ** rng.uniform(2, 8.3))))
    return LOST if code not in (0, 2) else birds.ends_well("full")


def vanished_folder(birds: Birds, rng: random.Random) -> str:
    """The run's folder is away for the rest of the run, as when a disk is unmounted; then it is back."""
    folder, away = birds.run_folder("vanished"), birds.folder / "away"
    children = birds.start("vanished")
    time.sleep(rng.uniform(0.0, 1.1 * birds.seconds[1]))
    if folder.exists():
        folder.rename(away)
    code = birds.finish(children)
    if away.exists():
        birds.remove("vanished")
        away.rename(folder)
    return LOST if code not in (0, 2) else birds.ends_well("vanished")


def twins(birds: Birds, rng: random.Random) -> str:
    """The same run is started twice at once: one goes through, the other is told."""
    first = birds.start("twins")
    time.sleep(rng.uniform(0, 0.2))
    second = birds.start("twins")
    codes = sorted((birds.finish(first), birds.finish(second)))
    return birds.compared("twins") if codes == [0, 2] else LOST
