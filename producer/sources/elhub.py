"""Live production from Elhub: the hours of each price area and group, again and again as they are revised."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from apis.elhub import CALLS_PER_S, PATIENCE, ZONE, Elhub, months
from producer.clock import Clock
from producer.sources.elhub_record import SOURCE, read_production
from producer.sources.live import asked_for_spans, session_of
from producer.span_source import Unreadable
from readings.reading import Mode, Reading
from readings.settings import Settings
from readings.stream import Stream

VARIABLE = "ELHUB_API_BASE"
LAST_MOMENT = time(23, 59, 59)


@dataclass(frozen=True)
class ElhubSpans:
    """Elhub's production, asked for in Norwegian days, at most a month at once."""

    client: Elhub
    name: str = SOURCE
    revised_for: timedelta = timedelta(days=16)
    """About two weeks, and some days more."""
    first_time: timedelta = timedelta(days=28)
    zone: tzinfo = ZONE

    def pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The months, in whole Norwegian days."""
        for first, last in months(since.astimezone(ZONE).date(), until.astimezone(ZONE).date()):
            begin, end = datetime.combine(first, time(), ZONE), datetime.combine(last, LAST_MOMENT, ZONE)
            yield begin.astimezone(UTC), end.astimezone(UTC)

    def fetch(
        self, since: datetime, until: datetime, mode: Mode, _only: Collection[str] | None = None
    ) -> Iterator[Reading | Unreadable]:
        """The hours of the days that hold the two instants and of those between."""
        first, last = since.astimezone(ZONE).date(), until.astimezone(ZONE).date()
        for record in self.client.production(first, last):
            try:
                reading = read_production(record, mode)
                if not first <= reading.start_time.astimezone(ZONE).date() <= last:
                    raise ValueError(
                        f"startTime: read {record['startTime']!r}, expected the days asked for, {first} to {last}"
                    )
            except ValueError as error:
                yield Unreadable(_series(record), str(error), record)
            else:
                yield reading


def _missing(settings: Settings) -> str | None:
    return None if settings.elhub_api_base else VARIABLE


def _declaration(stream: Stream, _settings: Settings) -> tuple[list[str], timedelta]:
    return stream.config.series_names(), stream.config.cadence


def source(_stream: Stream, settings: Settings, clock: Clock) -> ElhubSpans:
    """What is asked for the stream."""
    token = settings.elhub_api_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    return ElhubSpans(
        Elhub(session_of(settings.elhub_api_base or "", clock, CALLS_PER_S, headers=headers, patience=PATIENCE))
    )


LIVE = asked_for_spans(_missing, _declaration, source)


def _series(record: object) -> str:
    """The series that a record names, for people."""
    return f"{record.get('priceArea')}/{record.get('productionGroup')}"[:100] if isinstance(record, dict) else "?"
