"""docs/results/search.md: the grid that was searched on held-out photographs, and what won."""

from collections.abc import Mapping
from typing import Any

from calm.experiments.markdown import GENERATED, number, rows, with_interval


def settings_in_words(tried: Mapping[str, Any]) -> str:
    """The flags of a setting."""
    return ", ".join(f"`{name}`={value}" for name, value in tried.items())


def summary(found: Mapping[str, Any]) -> str:
    """In a sentence: whether settings were searched, and what won."""
    kept = found.get("search")
    if kept is None:
        return "Learning rate, grid and resolution were not searched."
    won = "; ".join(f"{name}: {settings_in_words(row['tried'])}" for name, row in kept["chosen"].items())
    entries = [entry for settings in kept["listed"]["rounds"] for entry in settings.values()]
    searched_flags = " and ".join(dict.fromkeys(f"`{name}`" for entry in entries for name in entry["flags"]))
    return (
        f"{searched_flags} were searched on held-out training photographs, by the same list for CAM and CALM\n"
        f"([all trials](results/search.md)). What won, and what real birds are trained with: {won}.\n"
        f"Few settings were tried{at_the_edge(kept)}."
    )


def at_the_edge(kept: Mapping[str, Any]) -> str:
    """Says so where the lowest rate won for every network; else nothing."""
    rates = [trial["tried"]["lr"] for trial in kept["trials"] if "lr" in trial["tried"]]
    won = {row["tried"].get("lr") for row in kept["chosen"].values()}
    return ", and the lowest rate won, so that a lower one might be better still" if won == {min(rates)} else ""


def searched(found: Mapping[str, Any]) -> str:
    """Every trial, and what won."""
    kept = found.get("search")
    return f"""{GENERATED}

# Search of settings

{_trials(kept) if kept else "not run"}
"""


def _trials(kept: Mapping[str, Any]) -> str:
    listed, chosen = kept["listed"], kept["chosen"]
    lines = [
        [
            trial["network"],
            settings_in_words(trial["tried"]),
            number(trial["accuracy"]),
            with_interval(trial["mPxAP"], trial["mPxAP_interval"]),
            with_interval(trial["mPxAP"] - trial["prevalence"], trial["above_prevalence_interval"]),
            "won" if trial == chosen[trial["network"]] else "",
        ]
        for trial in kept["trials"]
    ]
    of_class, trained = listed["per_class"], settings_in_words(listed["train"])
    table = rows(["network", "setting", "accuracy %", "mPxAP", "above prevalence", ""], lines)
    count = kept["trials"][0]["num_images"]
    return f"""The grid is `experiments/search.yaml`, and `python -m experiments search` runs it. Of each class's
training photographs {of_class["train"]} train and {of_class["held_out"]} others judge, {count} in all,
drawn by seed {listed["seed"]}; no test photograph is read. A trial is one short training
({trained}), so that it ranks settings and says little of what a whole training reaches.
Cue localisation is by the text's score with cells as tiles, and the 95 % intervals draw class pairs and images again.
Of a network's settings within {listed["tolerance"]} points of its best accuracy the one of the highest mPxAP wins, and
the next round's settings are tried on top of it.

{table}"""
