"""Write the paper's tables and figures, filled with the results of run folders.

python make_tables.py save/*/ --out tables/

The files hold every published row; what is printed are those that have runs, or all with --all.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from calm import errors
from calm.errors import UserError

PUBLISHED = Path(__file__).resolve().parent / "metadata" / "published.yaml"


def main(argv: Sequence[str] | None = None) -> None:
    """Read the runs, build every table and write it in every format."""
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    parser = errors.Parser(prog="make_tables.py", description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", help="run folders; without any, the published numbers alone")
    parser.add_argument("--out", required=True, help="folder of the tables")
    parser.add_argument("--only", nargs="+", choices=list(published), metavar="TABLE", help=", ".join(published))
    parser.add_argument("--all", action="store_true", help="print the rows without runs too")
    args = parser.parse_args(argv)
    missing = [run for run in args.runs if not Path(run).is_dir()]
    if missing:
        raise UserError(f"{missing[0]}: no such run folder")
    # What follows is slow to import: --help and a wrong flag should not wait for it.
    from calm.tables.build import build_table, with_runs
    from calm.tables.files import as_markdown, write_table
    from calm.tables.run_results import read_results

    results = read_results(args.runs)
    for key in args.only or published:
        table = build_table(key, published[key], results)
        paths = write_table(table, args.out)
        printed = table if args.all or not args.runs else with_runs(table)
        if printed.rows:
            print(as_markdown(printed).split("\nCommands")[0])
        print("written: " + ", ".join(map(str, paths)) + "\n")


if __name__ == "__main__":
    sys.exit(errors.run(main))
