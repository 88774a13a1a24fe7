"""What can go wrong with Skywatt's own setting-up.

SkywattError
└── ConfigError   a setting is missing or wrong: exit code 2, nothing was started
"""


class SkywattError(Exception):
    """Anything Skywatt itself reports. Its text is for the user: what was read, what was expected, how to mend it."""


class ConfigError(SkywattError):
    """A setting, ``skywatt.yml`` or a file it names is missing or wrong."""
