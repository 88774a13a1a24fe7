"""What can go wrong while local mode brings the parts up.

SkywattError
└── StackError            something could not be done: exit code 1
    ├── FetchError        a server or jar could not be downloaded, or is not what the lock says
    └── NotReadyError     a part did not become ready in time
"""

from readings.errors import SkywattError


class StackError(SkywattError):
    """Local mode could not do what it was told; the text says why and what to do."""


class FetchError(StackError):
    """An artifact could not be downloaded, or is not the one of ``artifacts.json``."""


class NotReadyError(StackError):
    """A part did not become ready before its deadline, or gave up."""
