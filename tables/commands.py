"""The command lines that give a number again, or for the first time.

Of the places on the machine they ran on they name the folders of the data alone, and those without what leads to them.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from calm.evaluation.idle_flags import idle_flags
from calm.flags import default_of, flags_of, names
from calm.tables.settings import places, start_of

ROOTS = frozenset(names(role="place", stated=True))
"""Flags that name the folders of data, metadata and masks."""
RECIPES = Path(__file__).resolve().parent.parent / "configs"


def commands_of(
    trained: Mapping[str, Any], flags: Mapping[str, Any], *, evaluation: str, attribution: str | None
) -> tuple[str, ...]:
    """Training first, where its flags are known; then the evaluation, without what the checkpoint says itself."""
    start = trained.get("load_checkpoint")
    started = {**trained, **({"load_checkpoint": start_of(start)} if start else {})}
    training = (flags_line("main", started, leave_out=set(names(role="map"))),) if trained else ()
    if is_of_training(evaluation, flags):
        return training
    idle = idle_flags(flags, evaluation, flags["attribution_method"], attribution)
    if trained:
        flags = {**flags, "load_checkpoint": f"save/{trained['experiment_name']}/"}
    return (*training, evaluation_line(evaluation, flags, trained=trained, leave_out=idle))


def is_of_training(evaluation: str, flags: Mapping[str, Any]) -> bool:
    """Whether a training wrote these results at its end, and no evaluation of its checkpoint."""
    return evaluation == "accuracy" and bool(flags.get("is_train"))


def evaluation_line(
    evaluation: str, flags: Mapping[str, Any], *, trained: Mapping[str, Any], leave_out: Collection[str] = ()
) -> str:
    """The command line of an evaluation, without what the checkpoint says itself, which was ``trained`` so."""
    said = {key for key in names(stated=True) if trained and trained.get(key) == flags.get(key)}
    script = "eval_" + evaluation
    if evaluation == "accuracy":
        script, flags = "main", {**flags, "is_train": False}
    return flags_line(script, flags, leave_out={*said, *leave_out})


def flags_line(script: str, values: Mapping[str, Any], *, leave_out: set[str]) -> str:
    """The command line that gives a script ``values``, without defaults, and without places but ``ROOTS``."""
    words = [f"python {script}.py"]
    flags = flags_of(script)
    values = {name: flag.absent for name, flag in flags.items() if flag.absent is not None} | dict(values)
    values |= {name: _folder(values[name]) for name in ROOTS & values.keys()}
    for name in flags:
        usual = default_of(name, flags, {other: value for other, value in values.items() if other != name})
        value = values.get(name, usual)
        if value is None or value == usual or name in leave_out | (places() - ROOTS):
            continue
        many = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else None
        words.append(f"--{name} {many}" if many else f"--{name}={shlex.quote(str(value))}")
    return " ".join(words)


def _folder(path: str) -> str:
    """A folder as flags spell it, an absolute one by its name alone: "photos" and "/x/photos" are "photos/"."""
    folder = Path(path)
    return f"{folder.name if folder.is_absolute() else folder}/"


def recipe_commands(
    dataset: str, method: str, evaluation: str, attribution: str | None, trunks: Sequence[str] = ()
) -> tuple[str, ...]:
    """How to get a number that was not run: the recipe in configs/ where there is one, and the evaluation.

    With ``trunks`` the number is the mean over them, and each is trained and evaluated.
    """
    commands: list[str] = []
    for trunk in trunks or (None,):
        name, training = _training_command(dataset, method, trunk)
        commands.append(training)
        if attribution is not None:
            chosen = "attributions" if evaluation == "attribution" else "score_map_process"
            tag = attribution.replace("+", "p")
            commands.append(
                f"python eval_{evaluation}.py --load_checkpoint=save/{name}/ --{chosen}={attribution} --tag={tag}"
            )
    return tuple(commands)


def _training_command(dataset: str, method: str, trunk: str | None) -> tuple[str, str]:
    """Experiment name and command: of the trunk's own recipe, else of the method's, with the trunk exchanged."""
    name = f"{dataset}_{method}"
    own = f"{name}_{trunk}"
    if trunk is not None and (RECIPES / f"{own}.yaml").is_file():
        return own, f"python main.py --config configs/{own}.yaml"
    recipe = RECIPES / f"{name}.yaml"
    if recipe.is_file():
        training, flags = f"python main.py --config configs/{name}.yaml", yaml.safe_load(recipe.read_text())
    else:
        training = f"python main.py --experiment_name={name} --dataset={dataset} --attribution_method={method}"
        flags = {}
    if trunk in (None, default_of("architecture", flags_of("main"), flags)):
        return name, training
    return own, f"{training} --architecture={trunk} --experiment_name={own}"
