"""``python -m elk.retention``: drops the indices of months that are kept no longer.

By the month in an index's name and not by its age alone, as ILM does it. A month of readings that was fetched later, or
made again from MongoDB, is kept as long from when its index was made: MongoDB keeps readings from their arrival.
"""

import argparse
import logging
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from elasticsearch import ApiError, Elasticsearch, TransportError

from elk.templates import templates
from readings.connections import connect_elasticsearch
from readings.durations import parse_duration
from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams

DAYS: Mapping[str, int] = {
    "forecasts-weather": 400,
    "totals-meter": 800,
    "totals-production": 4000,
    "totals-market": 800,
    "totals-forecast": 800,
    "alerts": 800,
    "dead-letters": 90,
    "arrivals": 60,
    "service-logs": 30,
}
"""How long a family's documents are kept, after the end of their month. Readings: as long as MongoDB keeps them."""

READINGS = "readings-"
CREATION_DATE = "index.creation_date"
AFTER_ERROR_S = 60.0
"""When it tries again at the latest: after a machine's start it is up before Elasticsearch is."""

log = logging.getLogger(__name__)


def main() -> int:
    """Gives 0 when done or stopped, 1 where Elasticsearch is not well, 2 on a wrong setting."""
    arguments = _parser().parse_args()
    try:
        settings = load_settings()
        streams = load_streams(settings)
        client = connect_elasticsearch(settings)
        set_up_logs(settings, "retention")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    while True:
        well = True
        try:
            drop_expired(client, settings, streams, datetime.now(UTC), dry_run=arguments.dry_run)
        except (ApiError, TransportError) as error:
            log.error("Elasticsearch: %s", error)
            well = False
        if arguments.every is None:
            return 0 if well else 1
        every_s = arguments.every.total_seconds()
        time.sleep(every_s if well else min(every_s, AFTER_ERROR_S))


def drop_expired(
    client: Elasticsearch, settings: Settings, streams: Mapping[str, Stream], now: datetime, *, dry_run: bool
) -> list[str]:
    """Drops what has expired, or only says so, and gives its names. Raises what the client raises."""
    dropped = []
    for family, days in kept_days(streams).items():
        found = client.indices.get_settings(
            index=f"{settings.prefix}{family}-*", name=CREATION_DATE, flat_settings=True, ignore_unavailable=True
        )
        for name in sorted(found):
            end = month_end(name, f"{settings.prefix}{family}")
            if end is not None and family.startswith(READINGS):
                made_ms = int(found[name]["settings"][CREATION_DATE])
                end = max(end, datetime.fromtimestamp(made_ms / 1000, UTC))
            if end is None or end + timedelta(days=days) > now:
                continue
            log.info("would be dropped" if dry_run else "dropped", extra={"index": name, "kept_days": days})
            if not dry_run:
                client.indices.delete(index=name)
            dropped.append(name)
    return dropped


def kept_days(streams: Mapping[str, Stream]) -> dict[str, int]:
    """By family of indices, how long its documents are kept. Raises KeyError on a family of which nothing says so."""
    readings = {f"{READINGS}{stream.name}": stream.config.mongodb_days for stream in streams.values()}
    return {family: readings[family] if family in readings else DAYS[family] for family in templates("", streams)}


def month_end(index: str, family: str) -> datetime | None:
    """When the month of an index ends: of ``alerts-2026.11`` the beginning of December. None for any other name."""
    found = re.fullmatch(rf"{re.escape(family)}-(\d{{4}})\.(0[1-9]|1[0-2])", index)
    if not found:
        return None
    year, month = int(found[1]), int(found[2])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elk.retention",
        description="Drops the Elasticsearch indices of months that are kept no longer (docs/elk.md: how long).",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be dropped")
    parser.add_argument("--every", type=parse_duration, metavar="TIME", help="again and again: 24h")
    return parser


if __name__ == "__main__":
    sys.exit(main())
