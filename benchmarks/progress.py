"""What a benchmark says while it measures: on standard error, for its result is all of standard output."""

import sys


def say(line: str) -> None:
    """One line, at once."""
    print(line, file=sys.stderr, flush=True)
