"""What a user did wrong, said in one sentence.

Below the scripts a message names a parameter in backticks, as a Python user writes it: `crop_size`=0 is below 1. The
scripts print it as the flag that it is there: --crop_size=0 is below 1.
"""

import argparse
import atexit
import gc
import importlib.util
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

_NO_MEMORY = re.compile("out of memory|not enough memory|can't allocate memory")
"""What torch says on a GPU and on a CPU."""


class UserError(Exception):
    """A mistake the user can mend; the message names the file, flag or line and what to do."""


def is_installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def how_to_install(extra: str) -> str:
    """The command that brings one of our extras; the package is on no index, so its files are there first."""
    return f"pip install '.[{extra}]' from a clone of the project"


def require(package: str, extra: str) -> None:
    """Raise a ``UserError`` unless a package is installed that one of our extras brings."""
    if not is_installed(package):
        raise UserError(f"{package} is not installed: {how_to_install(extra)}")


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are one sentence, by the name of the console command that runs it, if any."""

    def __init__(self, *, prog: str, **options: Any) -> None:
        super().__init__(prog=sys.argv[0] if sys.argv[0].startswith("calm ") else prog, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's; a word with a NUL, which no name of a file can have, is refused."""
        for word in sys.argv[1:] if args is None else args:
            if "\0" in word:
                raise UserError(f"{word!r}: has a NUL, which no name or file can have")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        sentence = "\\n".join(message.splitlines())  # a word of the command line may hold a line break
        raise UserError(f"{sentence}; see {self.prog} --help")


def as_flags(message: str) -> str:
    """A message with its parameters in backticks as flags."""
    return re.sub(r"`([a-z]\w*)`", r"--\1", message)


def run(main: Callable[[], int | None]) -> int:
    """Call ``main`` and return the exit code.

    2 with one line on stderr for a ``UserError``, for a file or folder that cannot be read or written, or for too
    little memory; 130 for Ctrl-C.
    """
    atexit.register(gc.freeze)  # else Python looks for circles in all that torch made, most of a second, and then ends
    try:
        return main() or 0
    except UserError as error:
        message, code = f"error: {as_flags(str(error))}", 2
    except KeyboardInterrupt:
        message, code = "interrupted", 130
    except BrokenPipeError:  # the reader of our output went away, as with `| head`
        sys.stderr.close()
        return 0
    except (MemoryError, RuntimeError) as error:  # PIL and NumPy raise the first, torch the second
        if not (isinstance(error, MemoryError) or _NO_MEMORY.search(str(error))):
            raise
        message, code = "error: there is not enough memory for this: try smaller images or a smaller batch", 2
    except OSError as error:
        if error.strerror is None:
            raise
        place = "" if error.filename is None else f"{error.filename}: "  # none for a write to a full disk
        message, code = f"error: {place}{error.strerror}", 2
    print(message, file=sys.stderr)  # after the exception is gone, since that ends the progress bars it held open
    return code
