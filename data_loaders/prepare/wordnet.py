"""Expand metadata/supersets.yaml over WordNet 3.0 into the tables that ``data_loaders.supersets`` reads.

    python -m data_loaders.prepare.wordnet --wordnet /usr/share/wordnet

WordNet's noun file comes with Debian's package wordnet-base; the offset of a noun is its wnid. ILSVRC's 1,000 wnids
come with timm.
"""

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from calm import errors
from calm.atomic import write_text
from calm.data_loaders.supersets import ILSVRC_TABLE, TABLES, WORDNET_TABLE
from calm.errors import UserError

HYPERNYM_POINTERS = ("@", "@i")


def read_hypernyms(path: Path) -> dict[str, list[str]]:
    """WordNet's data.noun (format: man wndb) -> {wnid: wnids of its hypernyms}, instance hypernyms included."""
    if not path.is_file():
        raise UserError(f"{path} is missing: install WordNet 3.0 (Debian's wordnet-base) and give its folder")
    hypernyms = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.split("|")[0].split()
        first_pointer = 4 + 2 * int(fields[3], 16) + 1  # offset, file, type, word count (hex), words, pointer count
        pointers = zip(*[iter(fields[first_pointer:])] * 4)  # symbol, offset, part of speech, source and target
        hypernyms[f"n{fields[0]}"] = [f"n{offset}" for symbol, offset, _, _ in pointers if symbol in HYPERNYM_POINTERS]
    return hypernyms


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


def main(argv: Sequence[str] | None = None) -> None:
    from timm.data import ImageNetInfo  # slow to import, and only its list of classes is needed

    parser = errors.Parser(prog="python -m data_loaders.prepare.wordnet", description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", default="/usr/share/wordnet", help="folder with WordNet 3.0's data.noun")
    parser.add_argument("--tables", default=TABLES, type=Path, help="folder of supersets.yaml, where the tables go")
    args = parser.parse_args(argv)
    hypernyms = read_hypernyms(Path(args.wordnet) / "data.noun")
    ancestors = read_ancestors(args.tables / "supersets.yaml")
    if unknown := [wnid for wnid in ancestors if wnid not in hypernyms]:
        raise UserError(f"{args.tables / 'supersets.yaml'}: {unknown[0]} is not a noun of WordNet 3.0")
    ilsvrc = expand(ancestors, hypernyms, sorted(ImageNetInfo("imagenet1k").label_names()))
    below_an_ancestor = {
        wnid: name for wnid, name in expand(ancestors, hypernyms, sorted(hypernyms)).items() if name != wnid
    }
    for file_name, table in ((ILSVRC_TABLE, ilsvrc), (WORDNET_TABLE, below_an_ancestor)):
        write_text(args.tables / file_name, "".join(f"{wnid},{name}\n" for wnid, name in table.items()))
        print(f"{args.tables / file_name}: {len(table)} classes in {len(set(table.values()))} supersets")


if __name__ == "__main__":
    sys.exit(errors.run(main))
