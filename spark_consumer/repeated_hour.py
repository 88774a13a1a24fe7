"""Meters' readings of the hour that a clock change repeats, whose local time does not say which of the two it is.

Of two readings of a meter at the same local time the lower is the earlier. So when the second comes, what is stored may
have to move an hour on. What moves is written before what takes its place: a kill between the two loses nothing.
"""

from collections.abc import Iterable

from pymongo.collection import Collection

from readings.reading import reading_key
from readings.stream import Stream
from spark_consumer.documents import Document, merge
from spark_consumer.streams.meter import REPEATED, settled


def settle(
    stream: Stream, collection: "Collection[Document]", arrived: Iterable[Document]
) -> tuple[list[Document], list[Document]]:
    """Documents that arrived, in the order of their arrival, all marked as of the repeated hour, each in its place.

    The first list is to be written before the second.
    """
    moved: dict[str, Document] = {}
    placed: dict[str, Document] = {}
    for document in arrived:
        after = _at_later(stream, document)
        ids = document["_id"], after["_id"]
        earlier, later = (placed.get(_id) or moved.get(_id) or collection.find_one({"_id": _id}) for _id in ids)
        kwh = settled(_kwh(earlier), _kwh(later), document["energy_kwh"])
        if kwh[1] != _kwh(later):
            if kwh[1] == document["energy_kwh"]:
                placed[ids[1]] = after if later is None else merge(later, after)
            elif earlier is not None:
                moved[ids[1]] = _at_later(stream, earlier)
        if kwh[0] == document["energy_kwh"]:
            placed[ids[0]] = document if earlier is None else merge(earlier, document)
    return list(moved.values()), list(placed.values())


def _at_later(stream: Stream, document: Document) -> Document:
    timestamp = document["timestamp"] + REPEATED
    delay_s = stream.delay_s(timestamp, document["arrived_at"])
    return document | {
        "_id": reading_key([document["sensor_id"]], timestamp),
        "timestamp": timestamp,
        "delay_s": delay_s,
        "late": stream.is_late(document.get("mode", "live"), delay_s),
    }


def _kwh(document: Document | None) -> float | None:
    return None if document is None else float(document["energy_kwh"])
