"""The dead man's message: Slack is to post it later, and as long as the engine lives it is put off again and again.

So the engine that stops, with its machine or its network, is noticed by Slack and not by itself. Nothing is kept here:
what Slack is to post is asked of Slack, so that an end at any moment leaves no message behind that nobody puts off.
"""

import logging
from datetime import datetime, timedelta

from alerts.errors import NotSent, Unclear
from alerts.messages import length
from alerts.routes import Bot

log = logging.getLogger(__name__)


class DeadMan:
    """Puts the message off. Slack takes no more than 30 scheduled messages in five minutes, and none of its last minute
    back: it is put off three times in its time."""

    def __init__(self, bot: Bot, after: timedelta) -> None:
        self._bot = bot
        self._after = after
        self._next: datetime | None = None
        self.text = (
            f"⚫ Skywatt: the alert engine was not heard of for {length(after)}. "
            "Nothing is watched until it runs again: bash run.sh status"
        )

    def beat(self, now: datetime) -> None:
        """Puts the message off if it is time; where Slack does not answer, tries again a little later."""
        if self._next and now < self._next:
            return
        try:
            earlier = self._bot.scheduled(self.text)
            self._bot.schedule(self.text, now + self._after)
            for one in earlier:
                self._bot.unschedule(one)
            self._next = now + self._after / 3
        except (NotSent, Unclear) as error:
            log.warning("the dead man's message was not put off: %s", error)
            self._next = now + self._after / 10
