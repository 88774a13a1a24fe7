"""What can stop a producer.

SkywattError
├── ConfigError       (readings) a setting or an argument is wrong: exit code 2, nothing was sent
├── RecordingError    a recording cannot be played: exit code 2
├── Superseded        another source feeds the stream now
├── NotRead           the consumer has not read what is in Kafka: exit code 1
└── Stopped           the process was asked to end while it waited
    └── Enough        as many readings were sent as were wished
"""

from readings.errors import SkywattError


class RecordingError(SkywattError):
    """A recording is not there, or not of the form that recordings/README.md describes."""


class Superseded(SkywattError):
    """Another source was declared for the stream: this one ends, so that the two do not overwrite each other."""


class NotRead(SkywattError):
    """The consumer does not run, or has not read in time what was sent."""


class Stopped(SkywattError):
    """The process was asked to end while it waited for something."""


class Enough(Stopped):
    """As many readings were sent as were wished."""
