"""Flags, YAML files and their merging into one Munch: default < file < command line. No side effects."""

import argparse
import difflib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from munch import Munch

from calm.errors import Parser, UserError
from calm.flags import GROUPS, NOTES, Flag


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a description, and names with hyphens in one piece."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def flags_of(script: str) -> dict[str, Flag]:
    """Name -> flag, for one script ("main", "eval_wsol", ...)."""
    return {flag.name: flag for flags in GROUPS.values() for flag in flags if script in flag.scripts}


def _help(flag: Flag) -> str:
    """The flag's meaning with its default in brackets; one without a default says in words what happens then."""
    if flag.default is None:
        return flag.help
    return f"{flag.help} [{' '.join(map(str, flag.default)) if flag.many else flag.default}]"


def add_flag(group: argparse._ActionsContainer, flag: Flag) -> None:
    """Give a parser, or a group of one, a flag of the table."""
    options: dict[str, Any] = {"type": flag.type, "help": _help(flag)}
    if flag.choices:
        options["choices"] = flag.choices
    if flag.aliases:
        options["metavar"] = "NAME"  # else the choices stand behind every alias; the help lists them
    if flag.type.__name__ == "boolean":
        options |= {"nargs": "?", "const": True, "metavar": "BOOL"}
    if flag.many:
        options["nargs"] = "+"
    group.add_argument(*(f"--{name}" for name in (flag.name, *flag.aliases)), dest=flag.name, **options)


def _parser(script: str, *, about: str | None = None) -> Parser:
    parser = Parser(
        prog=f"{script}.py",
        usage="%(prog)s [--FLAG=VALUE ...]",
        description=about,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=_HelpFormatter,
    )
    parser.add_argument("--config", help="YAML file of flags; the command line takes precedence over it")
    for title, flags in GROUPS.items():
        group = parser.add_argument_group(title, NOTES.get(title, {}).get(script))
        for flag in flags:
            if script in flag.scripts:
                add_flag(group, flag)
    return parser


def _nearest(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.0)
    return close[0]


def read_yaml(path: str | Path, script: str, *, source: str) -> dict[str, Any]:
    """Flags from a YAML file, each value checked as if it stood on the command line."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: is not UTF-8 text (byte {error.start})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{source}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise UserError(f"{source}: should be a mapping of flags to values")
    return check_values(content, script, source=source)


def check_values(content: dict[str, Any], script: str, *, source: str) -> dict[str, Any]:
    """Parse a mapping of flag names to values as the command line would.

    Raises:
        UserError: an unknown name (the nearest valid one is given) or a value the flag does not take.
    """
    flags = flags_of(script)
    names = {alias: flag.name for flag in flags.values() for alias in (flag.name, *flag.aliases)}
    words: list[str] = []
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key not in names:
            raise UserError(f"{source}: unknown key '{key}'; the nearest valid one is '{_nearest(str(key), [*names])}'")
        if value is None and flags[names[key]].default is None:
            values[names[key]] = None
        elif value is None:
            raise UserError(f"{source}: '{key}' has no value; give one or leave the key out")
        elif isinstance(value, list):
            words += [f"--{key}", *map(str, value)]
        else:
            words.append(f"--{key}={value}")
    try:
        parsed = _parser(script).parse_args(words)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    return values | vars(parsed)


def _validate(args: Munch) -> None:
    if args.load_checkpoint is None and (args.use_load_checkpoint or args.is_different_checkpoint):
        flag = "use_load_checkpoint" if args.use_load_checkpoint else "is_different_checkpoint"
        raise UserError(f"--{flag}: name the checkpoint with --load_checkpoint")
    if args.smoothing_ksize % 2 == 0:
        raise UserError(f"--smoothing_ksize={args.smoothing_ksize}: should be odd")
    if args.crop_size > args.resize_size and args.is_train and "resize_size" in args.given:
        raise UserError(f"--crop_size={args.crop_size} is larger than --resize_size={args.resize_size}")
    if not all(0 < level < 100 for level in args.iou_thresholds):
        raise UserError(f"--iou_thresholds {args.iou_thresholds}: levels are percentages between 1 and 99")
    if not 0 <= args.em_momentum < 1 or not 0 <= args.momentum < 1:
        raise UserError("--momentum and --em_momentum should lie in [0, 1)")
    if not args.experiment_name.strip("/. "):
        raise UserError(f"--experiment_name={args.experiment_name}: should be the name of a folder")
    if "/" in (args.get("tag") or ""):
        raise UserError(f"--tag={args.tag}: becomes part of a file's name, so it should have no '/'")


def parse(argv: Sequence[str] | None, script: str, *, about: str | None = None) -> Munch:
    """Command line -> one Munch of every flag the script takes.

    Args:
        argv: the words after the script's name; None takes them from ``sys.argv``.
        script: "main", "eval_cue_location", "eval_pixel_perturb", "eval_wsol" or "eval_attribution".
        about: what --help says before the flags, such as the script's docstring.

    Returns:
        The flags, and ``given``: the names that the command line or the YAML file set.

    Raises:
        UserError: with one sentence naming the flag or key.
    """
    parser = _parser(script, about=about)
    command_line, unknown = parser.parse_known_args(argv)
    if unknown:
        word = unknown[0].split("=")[0]
        known = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
        raise UserError(f"unknown argument '{unknown[0]}'; the nearest valid one is '{_nearest(word, known)}'")
    given = vars(command_line)
    path = given.pop("config", None)
    if path is not None:
        given = read_yaml(path, script, source=f"--config={path}") | given
    args = Munch({name: flag.default for name, flag in flags_of(script).items()} | given)
    args.given = frozenset(given)
    args.experiment_name = args.experiment_name.rstrip("/")
    if args.dataset_name == "ImageNet":
        args.dataset_name = "ILSVRC"
    if "crop_size" in given and "resize_size" not in given:  # the release's proportion, 256 to 224
        args.resize_size = round(args.crop_size * 256 / 224)
    _validate(args)
    return args


def recorded(args: Munch) -> dict[str, Any]:
    """What goes into config.yaml, checkpoints and results: every flag, as plain values."""
    return {name: value for name, value in sorted(args.items()) if name != "given"}
