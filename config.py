"""Flags, YAML files and their merging into one frozen record: default < file < command line. No side effects."""

import argparse
import difflib
import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from calm.errors import Parser, UserError
from calm.flags import GROUPS, NOTES, Config, default_of, flags_of, value_of
from calm.flags.flag import Flag
from calm.flags.values import boolean


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a description, and names with hyphens in one piece."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def _help(flag: Flag, beside: Collection[str]) -> str:
    """The flag's meaning with its default in brackets, also under other flags, of those that stand ``beside`` it.

    One without a default says in words what happens then.
    """
    if flag.default is None:
        return flag.help
    default = " ".join(map(str, flag.default)) if flag.many else flag.default
    others = "".join(
        f"; with --{name}={value} {other}" for (name, value), other in flag.default_under.items() if name in beside
    )
    return f"{flag.help} [{default}{others}]"


def add_flag(group: argparse._ActionsContainer, flag: Flag, beside: Collection[str] = ()) -> None:
    """Give a parser, or a group of one, a flag of the table; ``beside`` names the parser's flags."""
    options: dict[str, Any] = {"type": flag.type, "help": _help(flag, beside)}
    if flag.choices:
        options["choices"] = flag.choices
    if flag.aliases:
        options["metavar"] = "NAME"  # else the choices stand behind every alias; the help lists them
    if flag.type is boolean:
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
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--config", help="YAML file of flags; the command line takes precedence over it")
    beside = flags_of(script)
    for title, flags in GROUPS.items():
        group = parser.add_argument_group(title, NOTES.get(title, {}).get(script))
        for flag in flags:
            if script in flag.scripts:
                add_flag(group, flag, beside)
    return parser


def _nearest(word: str, flags: Collection[Flag], *more: str) -> str:
    """The name, of a flag or one of ``more``, that is most like ``word`` as it is spelled, begins or is elsewhere."""
    word = word.lstrip("-").replace("-", "_")
    known = dict(zip(more, more)) | {name: name for flag in flags for name in (flag.name, *flag.aliases)}
    spelled = known | {name: flag.name for flag in flags for name in flag.elsewhere}

    def likeness(name: str) -> float:
        whole, beginning = (difflib.SequenceMatcher(None, word, part).ratio() for part in (name, name[: len(word)]))
        return max(whole, 0.9 * beginning)

    return spelled[max(spelled, key=likeness)]


def read_yaml(path: str | Path, script: str, *, source: str) -> dict[str, Any]:
    """Flags from a YAML file, each value read as the same word on the command line would be.

    Nothing of YAML's own is applied to a word: 001, no and 1:30 stay what they are.

    Raises:
        UserError: no such file, no mapping of flags to values, a key twice, or what ``check_values`` refuses.
    """
    if not Path(path).is_file():
        raise UserError(f"{source}: no such file")
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: is not UTF-8 text (byte {error.start})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{source}: not valid YAML ({' '.join(str(error).split())})") from error
    except RecursionError as error:
        raise UserError(f"{source}: nested too deeply; it should be a mapping of flags to values") from error
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise UserError(f"{source}: should be a mapping of flags to values")
    content: dict[str, Any] = {}
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            raise UserError(f"{source}, line {key.start_mark.line + 1}: a key should be the name of a flag")
        if key.value in content:
            raise UserError(f"{source}, line {key.start_mark.line + 1}: '{key.value}' is there twice")
        content[key.value] = _words_of(value, f"{source}, line {value.start_mark.line + 1}: '{key.value}'")
    return check_values(content, script, source=source)


def _words_of(node: yaml.Node, where: str) -> str | list[str] | None:
    """The word, or list of words, of a YAML node; None for null."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == "tag:yaml.org,2002:null" else node.value
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return [item.value for item in node.value]
    raise UserError(f"{where} should be a value or a list of values")


def check_values(content: Mapping[str, Any], script: str, *, source: str) -> dict[str, Any]:
    """Read a mapping of flag names to values as the command line would.

    Raises:
        UserError: an unknown name (the nearest valid one is given), one flag under two names, or a value that the flag
            does not take.
    """
    flags = flags_of(script)
    names = {alias: flag.name for flag in flags.values() for alias in (flag.name, *flag.aliases)}
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key not in names:
            raise UserError(
                f"{source}: unknown key '{key}'; the nearest valid one is '{_nearest(str(key), flags.values())}'"
            )
        flag = flags[names[key]]
        if flag.name in values:
            raise UserError(f"{source}: '{key}' is there twice, under another name of the flag")
        try:
            values[flag.name] = value_of(flag, value)
        except (argparse.ArgumentTypeError, ValueError, TypeError) as error:
            raise UserError(f"{source}: argument --{flag.name}: {error}") from error
    return values


def _validate(args: Config) -> None:
    if args.load_checkpoint is None and (args.use_load_checkpoint or args.is_different_checkpoint):
        flag = "use_load_checkpoint" if args.use_load_checkpoint else "is_different_checkpoint"
        raise UserError(f"--{flag}: name the checkpoint with --load_checkpoint")
    if args.smoothing_ksize % 2 == 0:
        raise UserError(f"--smoothing_ksize={args.smoothing_ksize}: should be odd")
    if args.crop_size > args.resize_size and args.is_train and "resize_size" in args.given:
        raise UserError(f"--crop_size={args.crop_size} is larger than --resize_size={args.resize_size}")
    levels = args.iou_thresholds
    if not all(0 < level < 100 for level in levels) or len(set(levels)) < len(levels):
        raise UserError(f"--iou_thresholds {levels}: levels are percentages between 1 and 99, each once")
    if args.compile and args.gradient_loss:
        raise UserError("--compile does not go with --gradient_loss, which differentiates a gradient: leave one out")
    for name in ("momentum", "em_momentum", "model_ema_decay"):
        if not 0 <= (args[name] or 0) < 1:
            raise UserError(f"--{name}={args[name]} should lie in [0, 1)")
    seeds = args.get("seeds") or []
    if len(set(seeds)) < len(seeds) or (seeds and not args.is_train):
        raise UserError(f"--seeds {seeds}: to train with, each once")
    if not args.experiment_name.strip("/. "):
        raise UserError(f"--experiment_name={args.experiment_name}: should be the name of a folder")
    if "/" in (args.get("tag") or ""):
        raise UserError(f"--tag={args.tag}: becomes part of a file's name, so it should have no '/'")
    for name, value in args.items():
        if isinstance(value, str) and not value.isprintable():  # NUL, line breaks, bytes that are not UTF-8
            raise UserError(f"--{name}={value!r}: has characters that no name or file should have")


def _recipe(name: str) -> Path:
    """A YAML file as named, or else one of our own of this name: an installed package brings configs/ along."""
    ours = Path(__file__).resolve().parent / name
    return ours if ours.is_file() and not Path(name).exists() else Path(name)


def _merged(file: Mapping[str, Any], command_line: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of both; the command line takes precedence.

    A resize that a file states beside its crop is of that crop, and does not hold for another one.
    """
    merged = {**file, **command_line}
    if "crop_size" in file and merged["crop_size"] != file["crop_size"] and "resize_size" not in command_line:
        merged.pop("resize_size", None)
    return merged


def resize_of(crop_size: int) -> int:
    """The resize in the release's proportion to a crop, 256 to 224."""
    return round(crop_size * 256 / 224)


def parse(argv: Sequence[str] | None, script: str, *, about: str | None = None) -> Config:
    """Command line -> one record of every flag the script takes.

    Args:
        argv: the words after the script's name; None takes them from ``sys.argv``.
        script: one of ``flags.flag.SCRIPTS``, such as "main" or "eval_wsol".
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
        near = _nearest(word, flags_of(script).values(), "config", "help")
        raise UserError(f"unknown argument '{unknown[0]}'; the nearest valid one is '--{near}'")
    given = vars(command_line)
    path = given.pop("config", None)
    if path is not None:
        given = _merged(read_yaml(_recipe(path), script, source=f"--config={path}"), given)
    flags = flags_of(script)
    values = {name: default_of(name, flags, given) for name in flags}
    values["experiment_name"] = values["experiment_name"].rstrip("/")
    if "crop_size" in given and "resize_size" not in given:
        values["resize_size"] = resize_of(values["crop_size"])
    args = Config(values | {"given": frozenset(given)})
    _validate(args)
    return args
