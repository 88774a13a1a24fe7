"""What of a service's answer is a reading, and what is none: also what it says in two ways."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from producer.remembered import digest
from producer.span_source import Unreadable
from readings.problems import shown
from readings.reading import Reading
from readings.stream import Stream


def judged(
    found: Iterable[Reading | Unreadable], stream: Stream, now: datetime
) -> tuple[list[Reading], list[Unreadable]]:
    """The readings by event time, each once, and what is none."""
    bad: list[Unreadable] = []
    same: dict[tuple[str, datetime], list[Reading]] = {}
    for one in found:
        if isinstance(one, Unreadable):
            bad.append(one)
        elif problem := stream.time_problem(one.event_time, now):
            bad.append(Unreadable(one.series, problem, _record(one)))
        else:
            same.setdefault((one.series, one.event_time), []).append(one)
    readings = []
    for alike in same.values():
        said = alike if len(alike) == 1 else [one for _, one in sorted({digest(one): one for one in alike}.items())]
        if len(said) == 1:
            readings += said
        else:
            bad.append(_contradiction(said))
    return sorted(readings, key=lambda reading: reading.event_time), bad


def _contradiction(said: Sequence[Reading]) -> Unreadable:
    """What a service says in several ways of a series and time."""
    differing = [
        f"{name}: read both {' and '.join(shown(getattr(one, name)) for one in said)}"
        for name in type(said[0]).model_fields
        if len({repr(getattr(one, name)) for one in said}) > 1
    ]
    reason = f"{'; '.join(differing)} of {said[0].event_time.isoformat()}, expected one value"
    return Unreadable(said[0].series, reason, [_record(one) for one in said])


def _record(reading: Reading) -> dict[str, Any]:
    """A reading as a dead letter holds it: the same in each round."""
    return reading.model_dump(mode="json", exclude_none=True, exclude={"mode"})
