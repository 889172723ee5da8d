"""Published weights by name: python -m networks.zoo list | fetch NAME."""

from collections.abc import Sequence
from pathlib import Path

from calm import errors
from calm.networks.zoo.entries import ENTRIES, Entry
from calm.networks.zoo.files import default_folder, entry_named, fetch, read_note


def commands(entry: Entry) -> list[str]:
    """What to run with the fetched file."""
    if not entry.is_checkpoint:
        use_bn = " --use_bn=True" if entry.recipe.get("use_bn") else ""
        return [
            f"python main.py --architecture={entry.recipe['architecture']}{use_bn} --pretrained_path=zoo:{entry.name}"
        ]
    flags = " ".join(
        f"--{flag}={entry.recipe[flag]}"
        for flag in ("architecture", "attribution_method", "dataset_name", "large_feature_map", "use_bn")
    )
    scripts = ["main.py --is_train=False", *(f"eval_{evaluation}.py" for evaluation in entry.evaluations)]
    return [f"python {script} --load_checkpoint=zoo:{entry.name} {flags}" for script in scripts]


def print_list(folder: Path) -> None:
    """Every entry with recipe, published accuracy, source and whether it is here."""
    for entry in ENTRIES.values():
        here = "fetched" if (folder / entry.name / entry.file_name).is_file() else "not fetched"
        recipe = " ".join(f"--{flag}={value}" for flag, value in entry.recipe.items())
        print(f"{entry.name:<20}{entry.accuracy:6.2f} %  {entry.accuracy_source}; {here}")
        print(f"{'':<20}{recipe}\n{'':<20}{entry.page}")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = errors.Parser(prog="python -m networks.zoo", description=__doc__)
    parser.add_argument("--cache_dir", type=Path, help="folder of fetched files [$CALM_HOME, else ~/.cache/calm]")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="names, recipes, published accuracies, sources")
    fetching = actions.add_parser("fetch", help="download one entry")
    fetching.add_argument("name", help="of the list")
    fetching.add_argument("--address", help="take the file from this address instead")
    args = parser.parse_args(argv)
    folder = args.cache_dir or default_folder()
    if args.action == "list":
        print_list(folder)
        return
    path = fetch(args.name, folder=folder, address=args.address)
    entry = entry_named(args.name)
    print(f"{entry.name}: {path} (sha256 {read_note(path.parent)['sha256']})")
    if args.cache_dir:
        print(f"set CALM_HOME={folder} for the scripts to find it")
    print(f"published accuracy: {entry.accuracy} % ({entry.accuracy_source}); to use it:")
    for command in commands(entry):
        print(f"  {command}")
