"""A stream's archive: recorded readings of another year, played once with their own times while its recording plays.

They have mode ``replay``: never late, and no series is silent or heard of by them.
"""

import logging
from datetime import timedelta
from pathlib import Path

from producer.cursor import UnkeptCursor
from producer.errors import RecordingError, Stopped, Superseded
from producer.feed import Feed
from producer.replay import SOURCE, ReplaySpedUp, Target, read_recordings
from readings.config import ROOT

ARCHIVE = "archive"
"""The name of its cursor, which keeps that it was played."""
AFTER = timedelta(minutes=3)
"""So long after a start, so that what is of now comes first."""
SPEEDUP = 365 * 24 * 30
"""A year in two minutes: the stores write it beside what is of now, which does not wait behind it."""

log = logging.getLogger(__name__)


def play_archive(feed: Feed) -> None:
    """Returns when the archive is in Kafka, or there is none. What was broken off is played anew, and written once."""
    path = feed.stream.config.archive
    if path is None:
        return
    try:
        cursor = feed.cursor(ARCHIVE)
        while not cursor.facts.get("played"):
            feed.clock.wait_until(feed.clock.now() + AFTER)
            if feed.declared().source != SOURCE:
                continue
            try:
                sent = _play(feed, path)
            except Superseded:
                continue
            cursor.facts["played"] = True
            cursor.move({})
            log.info("the archive was sent", extra={"stream": feed.stream.name, "sent": sent})
    except RecordingError as error:
        feed.state.failed(str(error))
    except Stopped:
        return


def _play(feed: Feed, path: Path) -> int:
    target = Target(feed.stream, feed.publisher, UnkeptCursor(), feed.clock, feed.state, lambda: feed.still(SOURCE))
    return sum(ReplaySpedUp(read_recordings(ROOT / path, feed.stream), SPEEDUP).play(target))
