"""Command line of the folder."""

import sys

from calm import errors
from calm.data_loaders.prepare.run import main

if __name__ == "__main__":
    sys.exit(errors.run(main))
