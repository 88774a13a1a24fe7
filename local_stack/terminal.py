"""What the terminal can show. Standard library only: ``doctor`` uses it before anything is installed."""

import sys
from io import TextIOWrapper


def show_what_it_can() -> None:
    """From here on a question mark stands for a character that the terminal's encoding lacks: none of ours is worth
    an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
