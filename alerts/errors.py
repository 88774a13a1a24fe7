"""What can go wrong between a finding and Slack.

AlertError
├── NotSent    a message certainly did not go out: it is tried again, when `wait_s` says or soon
│   └── Refused    and it will not go out until someone mends what Slack complains of
├── Unclear    a message may have gone out: it is looked for before it is sent again
│   └── OtherWords    it was answered as if it had: after some tries it counts as sent
├── Gone       a message that was sent cannot be changed any more: it stays as it is
├── CannotLook the channel's messages cannot be read, so that Unclear stays unclear
└── ViewError  Elasticsearch does not take some alerts' documents
"""

from readings.errors import SkywattError


class AlertError(SkywattError):
    """Anything the alert engine itself reports. Its text holds no secret."""


class NotSent(AlertError):
    """The message certainly did not go out."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s
        """How long Slack asked to wait; None where it did not say."""


class Refused(NotSent):
    """Slack will not take messages as Skywatt is set up now: a wrong token, an unknown channel."""


class Unclear(AlertError):
    """The message may have gone out: no answer came, or one that does not say."""


class OtherWords(Unclear):
    """A webhook answers with success in words that are not known: a relay that took it, or a portal's page."""


class Gone(AlertError):
    """A message cannot be changed: it was deleted, or is too old, or was never one that can be."""


class CannotLook(AlertError):
    """Messages already sent cannot be read."""


class ViewError(AlertError):
    """Elasticsearch refused an alert's document."""
