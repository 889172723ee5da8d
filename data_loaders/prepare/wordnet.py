"""Expand metadata/supersets.yaml over WordNet 3.0 into the tables that ``data_loaders.supersets`` reads, and list what
stands above ILSVRC's classes.

    python -m data_loaders.prepare.wordnet --wordnet /usr/share/wordnet

WordNet's noun file comes with Debian's package wordnet-base; the offset of a noun is its wnid. ILSVRC's 1,000 wnids
come with timm.
"""

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from calm import errors
from calm.atomic import write_text
from calm.data_loaders.supersets import ANCESTRY_TABLE, ILSVRC_TABLE, TABLES, WORDNET_TABLE
from calm.errors import UserError

HYPERNYM_POINTERS = ("@", "@i")


class Noun(NamedTuple):
    """A WordNet synset of nouns."""

    name: str
    """Its first word."""
    hypernyms: list[str]
    """wnids, instance hypernyms included."""


def read_nouns(path: Path) -> dict[str, Noun]:
    """WordNet's data.noun (format: man wndb) by wnid."""
    if not path.is_file():
        raise UserError(f"{path} is missing: install WordNet 3.0 (Debian's wordnet-base) and give its folder")
    nouns = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.split("|")[0].split()
        first_pointer = 4 + 2 * int(fields[3], 16) + 1  # offset, file, type, word count (hex), words, pointer count
        pointers = zip(*[iter(fields[first_pointer:])] * 4)  # symbol, offset, part of speech, source and target
        hypernyms = [f"n{offset}" for symbol, offset, _, _ in pointers if symbol in HYPERNYM_POINTERS]
        nouns[f"n{fields[0]}"] = Noun(fields[4].replace("_", " "), hypernyms)
    return nouns


def read_ancestors(path: Path) -> dict[str, str]:
    """The curated list -> {wnid: name} in its order; a wnid or name listed twice is an error."""
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    pairs = [pair for section in sections.values() for pair in section.items()]
    for values in zip(*pairs):
        if repeated := [value for value in values if values.count(value) > 1]:
            raise UserError(f"{path}: {repeated[0]} is listed twice")
    return dict(pairs)


def nearest_ancestor(wnid: str, ancestors: Sequence[str], hypernyms: Mapping[str, Sequence[str]]) -> str | None:
    """The listed ancestor fewest steps above ``wnid`` (itself: none); the first listed of several; None without one."""
    distances = {wnid: 0}
    queue = deque([wnid])
    while queue:
        current = queue.popleft()
        for parent in hypernyms.get(current, ()):
            if parent not in distances:
                distances[parent] = distances[current] + 1
                queue.append(parent)
    return min((ancestor for ancestor in ancestors if ancestor in distances), key=distances.__getitem__, default=None)


def expand(ancestors: Mapping[str, str], hypernyms: Mapping[str, Sequence[str]], classes: Sequence[str]) -> dict:
    """{wnid: name of its superset} for ``classes``; a class alone has its own wnid for a name."""
    nearest = {wnid: nearest_ancestor(wnid, list(ancestors), hypernyms) for wnid in classes}
    return {wnid: ancestors.get(ancestor, wnid) for wnid, ancestor in nearest.items()}


def ancestry(nouns: Mapping[str, Noun], classes: Sequence[str]) -> dict[str, str]:
    """wnid of each class and of all above it -> that of its first hypernym, "" for the root, and its name."""
    found: dict[str, str] = {}
    for wnid in classes:
        while wnid and wnid not in found:
            parent = next(iter(nouns[wnid].hypernyms), "")
            found[wnid] = f"{parent},{nouns[wnid].name}"
            wnid = parent
    return dict(sorted(found.items()))


def main(argv: Sequence[str] | None = None) -> None:
    from timm.data import ImageNetInfo  # slow to import, and only its list of classes is needed

    parser = errors.Parser(prog="python -m data_loaders.prepare.wordnet", description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", default="/usr/share/wordnet", help="folder with WordNet 3.0's data.noun")
    parser.add_argument("--tables", default=TABLES, type=Path, help="folder of supersets.yaml, where the tables go")
    args = parser.parse_args(argv)
    nouns = read_nouns(Path(args.wordnet) / "data.noun")
    hypernyms = {wnid: noun.hypernyms for wnid, noun in nouns.items()}
    ancestors = read_ancestors(args.tables / "supersets.yaml")
    if unknown := [wnid for wnid in ancestors if wnid not in hypernyms]:
        raise UserError(f"{args.tables / 'supersets.yaml'}: {unknown[0]} is not a noun of WordNet 3.0")
    classes = sorted(ImageNetInfo("imagenet1k").label_names())
    ilsvrc = expand(ancestors, hypernyms, classes)
    below_an_ancestor = {
        wnid: name for wnid, name in expand(ancestors, hypernyms, sorted(hypernyms)).items() if name != wnid
    }
    for file_name, table in ((ILSVRC_TABLE, ilsvrc), (WORDNET_TABLE, below_an_ancestor)):
        write_text(args.tables / file_name, "".join(f"{wnid},{name}\n" for wnid, name in table.items()))
        print(f"{args.tables / file_name}: {len(table)} classes in {len(set(table.values()))} supersets")
    above = ancestry(nouns, classes)
    write_text(args.tables / ANCESTRY_TABLE, "".join(f"{wnid},{line}\n" for wnid, line in above.items()))
    print(f"{args.tables / ANCESTRY_TABLE}: {len(above)} nouns")


if __name__ == "__main__":
    sys.exit(errors.run(main))
