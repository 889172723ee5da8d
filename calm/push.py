"""Share a trained network in the Hugging Face layout, with a model card of what was measured.

calm push save/demo/ OWNER/NAME          # to the hub; calm.load("hf:OWNER/NAME") loads it
calm push save/demo/ --folder shared/    # only writes model.safetensors, config.json and README.md
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from calm import errors
from calm.errors import UserError

RAW = argparse.RawDescriptionHelpFormatter


def main(argv: Sequence[str] | None = None) -> None:
    """Write the layout and, unless a folder was asked for alone, upload it."""
    parser = errors.Parser(prog="python -m calm push", description=__doc__, allow_abbrev=False, formatter_class=RAW)
    parser.add_argument("run", metavar="RUN", help="a run folder, a checkpoint file or zoo:NAME")
    parser.add_argument("repository", metavar="OWNER/NAME", nargs="?", help="repository on the hub")
    parser.add_argument("--folder", type=Path, help="write the files here; without OWNER/NAME that is all")
    parser.add_argument("--private", action="store_true", help="a repository that is made is seen by its owner alone")
    args = parser.parse_args(argv)
    if args.repository is None and args.folder is None:
        raise UserError("name the repository as OWNER/NAME, or give `folder` to write the files only")
    if args.repository is not None and args.repository.count("/") != 1:
        raise UserError(f"{args.repository}: name the repository as OWNER/NAME")

    # loaded after parsing, since torch takes seconds and --help and a wrong word need none of it
    from calm.networks.checkpoint_files import locate_checkpoint
    from calm.networks.shared_files import PREFIX
    from calm.sharing.hub import upload
    from calm.sharing.layout import write_layout

    checkpoint = locate_checkpoint(args.run)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        name = args.repository or checkpoint.parent.resolve().name
        source = f"{PREFIX}{args.repository}" if args.repository else f"{folder.resolve().name}/"
        results = write_layout(checkpoint, folder, name=name.split("/")[-1], source=source)
        numbers = sum(len(result.metrics) for result in results)
        print(f"model card: {numbers} numbers of {len(results)} results of this checkpoint")
        if args.folder:
            print(f"written: {args.folder}")
        if args.repository:
            print(f"pushed: {upload(folder, args.repository, private=args.private)}")
            print(f'load it: calm.load("{source}"), or --load_checkpoint={source}')


if __name__ == "__main__":
    sys.exit(errors.run(main))
