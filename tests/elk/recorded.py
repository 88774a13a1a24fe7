"""Recorded readings for these tests, moved in time, and messages as Logstash hands them on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from producer.recordings import read_recording, recording_files
from readings.config import ROOT
from readings.reading import Reading
from readings.stream import Stream


def recorded(stream: Stream, each: int, last: datetime) -> Iterator[Reading]:
    """The last readings of each recorded series, moved by whole hours so that the newest ends just before `last`."""
    assert stream.config.recording is not None
    for path in recording_files(ROOT / stream.config.recording):
        recording = read_recording(path, stream.model)
        hours = (last - stream.model.interval - recording.last) // timedelta(hours=1)
        for series in recording.series.values():
            for index in islice(range(len(series) - 1, -1, -1), each):
                reading = series.reading(index)
                at = reading.event_time + timedelta(hours=hours)
                yield reading.model_copy(update={stream.model.time_field: at})


def event(stream: Stream, value: bytes, arrived_at: datetime, offset: int = 0, partition: int = 0) -> dict[str, Any]:
    """A message as Logstash's kafka input with a plain codec hands it on."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = repr(value)[2:-1]  # the codec escapes it like this
    place = {
        "topic": stream.topic,
        "partition": partition,
        "offset": offset,
        "timestamp": round(arrived_at.timestamp() * 1000),
    }
    return {"message": text, "@metadata": {"kafka": place}}
