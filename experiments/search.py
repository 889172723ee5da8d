"""A search of settings on photographs held out of the training list: the grid of search.yaml, run and judged."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from calm.atomic import write_text
from calm.data_loaders.metadata import read_records, write_records
from calm.data_loaders.record import Record
from calm.experiments.plan import Step, words_of
from calm.experiments.run import Places, run
from calm.experiments.trainings import REDUCED, Flags

LIST = Path(__file__).with_suffix(".yaml")
KEPT = "search.json"
"""In the folder of what is kept: every trial, and per network the flags that won."""
CHOSEN, TAG = "chosen", "held_out"
ACCURACY, CUE = "results/accuracy.json", f"results/cue_location_{TAG}.json"
"""What a training and its judgement write, below the run folder."""


class Trial(NamedTuple):
    """One setting of one network."""

    network: str
    setting: str
    tried: Flags
    """The flags in which it differs from the list's common ones."""
    flags: Flags
    minutes: float

    @property
    def run(self) -> str:
        """The name of its run folder."""
        return f"{self.network}_{self.setting}"

    def steps(self, dataset: str) -> Iterator[Step]:
        """A training and its judgement."""
        train: Flags = {"dataset": dataset, "experiment_name": self.run, **self.flags}
        yield Step(self.run, words_of("train", train), ACCURACY, 0.8 * self.minutes, dataset)
        cue: Flags = {"mask_to_segmentation": False, "tag": TAG}
        words = words_of("eval cue_location", cue)
        yield Step(self.run, words, CUE, 0.2 * self.minutes, dataset)


def trials(listed: Mapping[str, Any], number: int, won: Mapping[str, Mapping[str, Any]]) -> list[Trial]:
    """The trials of one round.

    Args:
        listed: the content of search.yaml.
        number: of the round, from 0.
        won: network -> the trial of the rounds before that won; empty in the first.
    """
    found = []
    for network, own in listed["networks"].items():
        before = won.get(network, {"setting": "", "tried": {}})
        prefix = f"{before['setting']}_" if before["setting"] else ""
        for name, entry in listed["rounds"][number].items():
            tried = {**before["tried"], **entry["flags"]}
            flags = {"seed": listed["seed"]} | listed["train"] | own | tried
            found.append(Trial(network, prefix + name, tried, flags, entry["minutes"]))
    return found


def hold_out(listed: Mapping[str, Any], metadata_root: str, out: Path) -> None:
    """Write metadata below ``out`` that know no test photograph: in their place are those that are held out."""
    rng, by_class = random.Random(listed["seed"]), dict[int, list[Record]]()
    for record in read_records(metadata_root, listed["dataset"], "train"):
        by_class.setdefault(record.target, []).append(record)
    number, others = listed["per_class"]["train"], listed["per_class"]["held_out"]
    drawn = [rng.sample(own, len(own)) for _, own in sorted(by_class.items())]
    splits = {
        "train": [record for own in drawn for record in own[:number]],
        "val": read_records(metadata_root, listed["dataset"], "val"),
        "test": [record for own in drawn for record in own[number : number + others]],
    }
    for split, records in splits.items():
        write_records(out, listed["dataset"], split, records)


def result_of(trial: Trial, folder: Path, *, usual: float) -> dict[str, Any]:
    """What is kept of a trial that has run.

    Args:
        trial: the trial.
        folder: of the run folders.
        usual: minutes of a trial at the common resolution and grid.
    """
    accuracy, cue = (json.loads((folder / trial.run / name).read_text(encoding="utf-8")) for name in (ACCURACY, CUE))
    return {
        "network": trial.network,
        "setting": trial.setting,
        "tried": dict(trial.tried),
        "accuracy": accuracy["metrics"]["accuracy"],
        "num_images": accuracy["details"]["num_images"],
        "mPxAP": cue["metrics"]["mPxAP"],
        "mPxAP_interval": cue["intervals"]["mPxAP"],
        "prevalence": cue["metrics"]["prevalence"],
        "above_prevalence_interval": cue["intervals"]["above_prevalence"],
        "cost": round(trial.minutes / usual, 2),
    }


def winner(rows: Sequence[Mapping[str, Any]], tolerance: float) -> Mapping[str, Any]:
    """Of a network's trials within ``tolerance`` points of its best accuracy, the one of the highest mPxAP."""
    best = max(row["accuracy"] for row in rows)
    return max((row for row in rows if row["accuracy"] >= best - tolerance), key=lambda row: row["mPxAP"])


def winners(rows: Sequence[Mapping[str, Any]], tolerance: float) -> dict[str, Mapping[str, Any]]:
    """Network -> its trial that won."""
    networks = dict.fromkeys(row["network"] for row in rows)
    return {name: winner([row for row in rows if row["network"] == name], tolerance) for name in networks}


def grid(*, reduced: bool = False) -> dict[str, Any]:
    """The content of search.yaml; reduced to one setting a round and a few small photographs."""
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    if reduced:
        listed["per_class"] = {"train": 2, "held_out": 1}
        listed["train"] |= REDUCED
        for settings in listed["rounds"]:
            for name in [*settings][1:]:
                del settings[name]
            for entry in settings.values():
                entry["minutes"] /= 6
    return listed


def chosen_in(kept: Path) -> dict[str, Mapping[str, Any]]:
    """Network -> its trial that won, of the search that is kept; empty where none is."""
    path = kept / KEPT
    return json.loads(path.read_text(encoding="utf-8"))[CHOSEN] if path.is_file() else {}


def search(
    listed: Mapping[str, Any], places: Places, kept: Path, say: Callable[[str], object]
) -> dict[str, Mapping[str, Any]]:
    """Run the trials that are left, round by round, and keep what they found; says before how long it takes.

    Args:
        listed: the grid.
        places: of the run folders, the data and the whole metadata.
        kept: folder of what is kept.
        say: takes a sentence.

    Returns:
        Network -> its trial that won.
    """
    folder, dataset = places.save_root / "search", listed["dataset"]
    own = Places(str(folder), places.data_root, str(folder / "metadata"))
    hold_out(listed, places.metadata_root, folder / "metadata")
    every = [entry["minutes"] for settings in listed["rounds"] for entry in settings.values()]
    count, minutes = (len(listed["networks"]) * total for total in (len(every), sum(every)))
    say(f"search: {count} settings, about {minutes:.0f} minutes on one core where none is done")
    rows: list[dict[str, Any]] = []
    usual = min(entry["minutes"] for entry in listed["rounds"][0].values())
    for number in range(len(listed["rounds"])):
        tried = trials(listed, number, winners(rows, listed["tolerance"]))
        say(f"search: round {number + 1} of {len(listed['rounds'])}")
        run([step for trial in tried for step in trial.steps(dataset)], own, say)
        rows += [result_of(trial, folder, usual=usual) for trial in tried]
    chosen = winners(rows, listed["tolerance"])
    content = {"listed": listed, "trials": rows, CHOSEN: chosen}
    write_text(kept / KEPT, json.dumps(content, indent=1) + "\n")
    for network, row in chosen.items():
        say(f"search: {network} takes {row['setting']}")
    return chosen
