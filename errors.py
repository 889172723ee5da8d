"""What a user did wrong, said in one sentence."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """A mistake the user can mend; the message names the file, flag or line and what to do."""


def run(main: Callable[[], int | None]) -> int:
    """Call ``main`` and return the exit code: 2 with one line on stderr for a ``UserError``, 130 for Ctrl-C."""
    try:
        return main() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as with `| head`
        sys.stderr.close()
        return 0
