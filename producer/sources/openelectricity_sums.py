"""The five minutes of OpenElectricity's answers: a facility's are sums over its units, a region's are as they come."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from apis.openelectricity import OFFSETS, BadValue, Network, UnknownFuel, Value, weight
from producer.span_source import Unreadable
from readings.problems import reason_of, shown
from readings.reading import Reading

SOURCE = "openelectricity"
DIGITS = 6
"""Of a sum: what lies behind is the float's."""
FIELDS = {"power": "power_mw", "emissions": "emissions_t", "price": "price_per_mwh", "demand": "demand_mw"}
"""The API's metrics → our fields."""


@dataclass(frozen=True)
class Unit:
    """What a facility's reading is the sum of."""

    facility: str
    fuel: str
    """Its technology as the API spells it."""


def rolled_up(
    values: Iterable[Value | BadValue],
    network: Network,
    units: Mapping[str, Unit] | None,
    made: Callable[[str, dict[str, Any]], Reading],
) -> Iterator[Reading | Unreadable]:
    """A reading of each series and instant; by `units`, of the sum over each facility's (None: they are the series).

    Metrics of one answer may spell the same instant in two ways. A null beside values is as if it were not there.
    """
    groups, bad = _grouped(values, network, units)
    for one in bad:
        known_by = None if one.called is None else [one.metric, one.code, one.called]
        yield Unreadable(one.code or "?", one.reason, one.record, known_by)
    doubtful = _doubtful(groups, bad, units or {})
    unknown: dict[str, Unreadable] = {}  # by facility: it is so at each instant
    for (series, time), found in groups.items():
        try:
            if series.startswith("?"):
                raise ValueError(f"read the unit {series[1:]!r}, expected one of the facilities that were asked for")
            if isinstance(time, str):
                raise ValueError(f"time: read {time}, expected an ISO-8601 time")
            given = [one for one in found if one.value is not None] or found
            counts = _weights(given, units)
            lacking = {one for one in doubtful[series] - {(one.metric, one.code) for one in found} if counts(*one)}
            if lacking:
                told = ", ".join(f"{metric} of {code}" for metric, code in sorted(lacking))
                raise ValueError(f"read no {told} that could be placed, expected it in the sum")
            fields = {FIELDS[metric]: total for metric, total in _sums(given, counts).items()}
            yield made(series, {"source": SOURCE, "timestamp": time, **fields})
        except UnknownFuel as error:
            unknown.setdefault(series, _unreadable(series, found, str(error), known_by=[series, str(error)]))
        except ValidationError as error:
            yield _unreadable(series, found, reason_of(error))
        except ValueError as error:
            yield _unreadable(series, found, str(error))
    yield from unknown.values()


def _grouped(
    values: Iterable[Value | BadValue], network: Network, units: Mapping[str, Unit] | None
) -> tuple[dict[tuple[str, datetime | str], list[Value]], list[BadValue]]:
    """The values by series and instant (as text where it is none), and what is none."""
    groups: dict[tuple[str, datetime | str], list[Value]] = defaultdict(list)
    bad: list[BadValue] = []
    for one in values:
        if isinstance(one, BadValue):
            bad.append(one)
        else:
            groups[_series_of(one.code, units), _instant(one.time, network) or shown(one.time)].append(one)
    return groups, bad


def _series_of(code: str, units: Mapping[str, Unit] | None) -> str:
    if units is None:
        return code
    return units[code].facility if code in units else f"?{code}"


def _weights(values: Sequence[Value], units: Mapping[str, Unit] | None) -> Callable[[str, str], int]:
    """How a metric of a unit counts where the facility has these values. That raises `UnknownFuel`."""
    if units is None:
        return lambda _metric, _code: 1
    fuels: dict[str, set[str]] = defaultdict(set)
    for one in values:
        fuels[one.metric].add(units[one.code].fuel)
    return lambda metric, code: weight(units[code].fuel, metric, fuels[metric])


def _doubtful(
    groups: Mapping[tuple[str, datetime | str], Sequence[Value]], bad: Iterable[BadValue], units: Mapping[str, Unit]
) -> dict[str, set[tuple[str, str]]]:
    """By facility the metrics of units of which something cannot be placed: a sum without them would be wrong.

    A series without its name may be that of any unit that the answer has none of.
    """
    placed = [(time, one.metric, one.code) for (_, time), values in groups.items() for one in values]
    told = {(metric, code) for _, metric, code in placed}
    unplaced = {(metric, code) for time, metric, code in placed if isinstance(time, str)}
    for one in bad:
        codes = [code for code in units if (one.metric, code) not in told] if one.code is None else [one.code]
        unplaced |= {(one.metric, code) for code in codes}
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for metric, code in unplaced:
        if code in units:
            found[units[code].facility].add((metric, code))
    return found


def _sums(values: Sequence[Value], counts: Callable[[str, str], int]) -> dict[str, float]:
    """The sum of each metric over the units that count. A value that came twice counts once."""
    found: dict[tuple[str, str], float] = {}
    for one in values:
        if not counts(one.metric, one.code):
            continue
        if one.metric not in FIELDS:
            raise ValueError(f"metric: read {one.metric!r}, expected one of {', '.join(FIELDS)}")
        if isinstance(one.value, bool) or not isinstance(one.value, int | float):
            raise ValueError(f"{one.metric} of {one.code}: read {shown(one.value)}, expected a number")
        if found.setdefault((one.metric, one.code), one.value) != one.value:
            before = found[one.metric, one.code]
            raise ValueError(f"{one.metric} of {one.code}: read both {before} and {one.value}, expected one value")
    sums: dict[str, float] = defaultdict(float)
    for (metric, code), number in found.items():
        sums[metric] += counts(metric, code) * number
    return {metric: round(total, DIGITS) for metric, total in sums.items()}


def _unreadable(series: str, values: Sequence[Value], reason: str, known_by: object = None) -> Unreadable:
    record = {
        "time": values[0].time,
        "values": [{"metric": one.metric, "code": one.code, "value": one.value} for one in values],
    }
    return Unreadable(series.removeprefix("?")[:100], reason, record, known_by)


def _instant(time: object, network: Network) -> datetime | None:
    """A time with its offset, or else in the network's own time; None where it is none."""
    try:
        instant = datetime.fromisoformat(time) if isinstance(time, str) else None
    except ValueError:
        return None
    return instant.replace(tzinfo=OFFSETS[network]) if instant and instant.tzinfo is None else instant
