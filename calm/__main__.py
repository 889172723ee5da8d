"""``python -m calm``: the console command without its installed script, as under torchrun."""

import sys

from calm.command import main

if __name__ == "__main__":
    sys.exit(main())
