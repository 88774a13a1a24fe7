"""The dead man's message: Slack is to post it later, and as long as the engine lives it is put off again and again.

So the engine that stops, with its machine or its network, is noticed by Slack and not by itself. Nothing is kept here:
what Slack is to post is asked of Slack, so that an end at any moment leaves no message behind that nobody puts off.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from alerts.errors import NotSent, Unclear
from alerts.messages import length
from alerts.routes import Bot

HOUR = timedelta(hours=1)

log = logging.getLogger(__name__)


class DeadMan:
    """Puts the message off. Slack takes no more than 30 scheduled messages in five minutes, and none of its last minute
    back: it is put off three times in its time.

    Without `after` there is to be none: one that was left is taken back. `waits` is told what fails, or None.
    """

    def __init__(
        self, bot: Bot, after: timedelta | None, namespace: str, waits: Callable[[str | None], object]
    ) -> None:
        self._bot = bot
        self._after = after
        self._waits = waits
        self._next: datetime | None = None
        # another installation's, or another channel's, has another beginning
        self._begins = (
            f"Skywatt{f' {namespace}' if namespace else ''}: the alert engine that tells {bot.channel} was not "
        )

    def beat(self, now: datetime) -> None:
        """Puts the message off if it is time; where Slack does not take it, tries again a little later."""
        if self._next and now < self._next:
            return
        self._next = now + (self._after or HOUR) / 10
        try:
            earlier = self._bot.scheduled(self._begins)
            if self._after:
                self._bot.schedule(self._text(self._after), now + self._after)
            for one in earlier:
                self._bot.unschedule(one)
        except (NotSent, Unclear) as error:
            log.warning("the dead man's message was not put off: %s", error)
            if self._after:
                self._waits(f"the dead man's message ({error})")
        else:
            self._waits(None)
            self._next = now + self._after / 3 if self._after else datetime.max.replace(tzinfo=now.tzinfo)

    def _text(self, after: timedelta) -> str:
        return (
            f"⚫ {self._begins}heard of for {length(after)}. Nothing is watched until it runs again: bash run.sh status"
        )
