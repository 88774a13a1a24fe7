"""``python -m elk.dictionary``: what Logstash must know of the streams, from ``readings`` and ``skywatt.yml``.

``elk/logstash/streams.json``, by topic: the stream, its allowed delay, and under which names a message holds series
and time. A test keeps the file equal; after a change of ``skywatt.yml`` run this and start Logstash again.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readings.config import ROOT
from readings.errors import ConfigError
from readings.settings import load_settings
from readings.spellings import FACILITY, MARKET, METER
from readings.stream import Stream, load_streams

FILE = ROOT / "elk" / "logstash" / "streams.json"

SPELLINGS: Mapping[str, Mapping[str, str]] = {
    "weather": {"region_name": "region"},
    "meter": METER,
    "facility": FACILITY,
    "market": MARKET,
}
"""Further names of the fields, by stream."""

NAIVE_ZONES: Mapping[str, str] = {"meter": "Europe/Lisbon"}
"""Whose times may come without an offset, and in which zone they are then."""

FLAT_WEATHER_TIME: Mapping[str, Any] = {"field": "data_dt", "naive": "UTC", "unix": True}
"""The time of a flat One Call record: Unix seconds, or ISO-8601 in UTC."""


def dictionary(streams: Mapping[str, Stream]) -> dict[str, dict[str, Any]]:
    """The dictionary by topic, as `FILE` holds it."""
    return {stream.topic: _entry(stream) for stream in streams.values()}


def as_text(entries: Mapping[str, Any]) -> str:
    """The dictionary as the file's text."""
    return json.dumps(entries, indent=2) + "\n"


def _entry(stream: Stream) -> dict[str, Any]:
    time = {"field": stream.model.time_field, "naive": NAIVE_ZONES.get(stream.name), "unix": False}
    further = SPELLINGS.get(stream.name, {})
    return {
        "stream": stream.name,
        "allowed_delay_s": stream.config.allowed_delay.total_seconds(),
        "interval_s": stream.model.interval.total_seconds(),
        "series": [
            [field, *sorted(name for name, meant in further.items() if meant == field)]
            for field in stream.model.series_fields
        ],
        "times": [time, dict(FLAT_WEATHER_TIME)] if stream.name == "weather" else [time],
    }


def main(file: Path = FILE) -> int:
    """Writes the file. Gives 2 on a wrong setting."""
    try:
        streams = load_streams(load_settings())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    file.write_text(as_text(dictionary(streams)))
    print(f"{file} written: {', '.join(streams)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
