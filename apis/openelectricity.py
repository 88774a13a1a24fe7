"""OpenElectricity's API v4: facilities of the Australian networks, their power and emissions, prices and demand.

- ``GET {base}/v4/facilities/?network_id=NEM``: facilities with their units (code, fuel technology, status)
- ``GET {base}/v4/data/facilities/NEM?facility_code=A&metrics=power&metrics=emissions&interval=5m&date_start&date_end``:
  a series of each unit and metric
- ``GET {base}/v4/market/network/NEM?metrics=price&metrics=demand&interval=5m&primary_grouping=network_region&…``:
  a series of each region and metric
- ``GET {base}/v4/data/network/NEM?metrics=power&interval=5m&primary_grouping=network_region&secondary_grouping=…``:
  a series of each group and metric of the whole network; the market's metrics come from ``/v4/market/network/NEM``

A bearer key, which is refused (401) also where its plan has no call of the day or the second left (opennem/opennem,
``clients/unkey.py`` and ``api/security.py``; the plans are in ``users/plans.py``). ``date_start`` (included) and
``date_end`` (excluded) are the network's own time without an offset, else the answer is 400. Series come as
``{"data": [{"metric", "results": [{"columns", "data": [[time, value], …]}]}]}`` in two shapes: 4.0 names a region
``network_region`` and gives UTC, later ones ``region`` and the network's offset (docs.openelectricity.org.au, "API v4";
both shapes as recorded). A network or facilities without values in the span are answered with 404 (416 before 4.1) and
a text like ``No data available for network …``, ``… for facility=['BAYSW'] …``.
A time at ``5m`` is the end of its five minutes: AEMO's SETTLEMENTDATE (docs.openelectricity.org.au/guides/curtailment).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import product
from typing import Any, Literal

from apis.errors import BadAnswer, Refused, Unauthorized
from apis.session import Patience, Session

Network = Literal["NEM", "WEM", "AU"]
"""The National Electricity Market, Western Australia's, and both together."""
OFFSETS: Mapping[Network, timezone] = {
    "NEM": timezone(timedelta(hours=10)),
    "WEM": timezone(timedelta(hours=8)),
    "AU": timezone(timedelta(hours=10)),
}
"""The networks' own times; they know no summer time."""
LONGEST: Mapping[str, timedelta] = {
    "5m": timedelta(days=8),
    "1h": timedelta(days=32),
    "1d": timedelta(days=366),
    "7d": timedelta(days=366),
    "1M": timedelta(days=732),
    "3M": timedelta(days=1830),
    "1y": timedelta(days=3700),
}
"""How much of an interval a call may ask for. The API's ``season`` and ``fy`` name a time that they do not begin at."""
DATA_METRICS = ("power", "energy", "emissions", "market_value", "renewable_proportion", "storage_battery")
MARKET_METRICS = (
    "price",
    "demand",
    "demand_energy",
    "curtailment",
    "curtailment_energy",
    "curtailment_solar_utility",
    "curtailment_solar_utility_energy",
    "curtailment_wind",
    "curtailment_wind_energy",
)
PRIMARY_GROUPINGS = ("network", "network_region")
SECONDARY_GROUPINGS = ("fueltech", "fueltech_group", "status", "renewable")
"""Of the data metrics alone; the market has none."""
NO_DATA = "data available for "
"""In the refusal of a span without values."""
MOST_FACILITIES = 30
"""In a call."""
CALLS_PER_S = 2
PATIENCE = Patience(read_timeout_s=60, answer_timeout_s=120, largest_body_bytes=64 * 1024 * 1024)
GROUPS: Mapping[str, str] = {
    "battery": "battery",
    "battery_charging": "battery_charging",
    "battery_discharging": "battery_discharging",
    "bioenergy_biogas": "bioenergy",
    "bioenergy_biomass": "bioenergy",
    "coal_black": "coal",
    "coal_brown": "coal",
    "distillate": "distillate",
    "gas_ccgt": "gas",
    "gas_ocgt": "gas",
    "gas_recip": "gas",
    "gas_steam": "gas",
    "gas_wcmg": "gas",
    "hydro": "hydro",
    "pumps": "pumps",
    "solar_rooftop": "solar",
    "solar_thermal": "solar",
    "solar_utility": "solar",
    "wind": "wind",
    "wind_offshore": "wind",
}
"""Fuel technology → its group."""
BATTERY = "battery"
"""Of a unit that stands for both directions of one: above zero while it discharges, below while it charges."""
ONE_DIRECTION = ("battery_charging", "battery_discharging")
TAKE = ("battery_charging", "pumps")
"""Their power is told as a positive number, though they take it from the grid."""


class UnknownFuel(ValueError):
    """Of a fuel technology it is not known whether it gives power or takes it."""


def weight(fuel: str, metric: str, beside: Collection[str]) -> int:
    """How a unit's value counts in its facility's sum: 1, −1 or 0, by the fuel technologies of the units beside it.

    A battery is listed three times: as a whole and as a unit for each direction, which count where the whole has no
    value. (AEMO's readings of 1 October 2025: the whole is what is discharged less what is charged, in all of 12,096.)
    Raises `UnknownFuel`.
    """
    if fuel not in GROUPS:
        raise UnknownFuel(f"read the fuel technology {fuel!r}, expected one of {', '.join(GROUPS)}")
    if fuel in ONE_DIRECTION and BATTERY in beside:
        return 0
    return -1 if metric == "power" and fuel in TAKE else 1


@dataclass(frozen=True)
class Facility:
    """A power station, battery or pump, made of units."""

    code: str
    operates: bool
    """One unit does."""
    units: Mapping[str, str]
    """Unit → its fuel technology as the API spells it, of which some may be unknown."""


@dataclass(frozen=True)
class Value:
    """One value of a series, as the API spells it."""

    metric: str
    code: str
    """A unit's or a region's."""
    time: object
    value: object


@dataclass(frozen=True)
class BadValue:
    """What stands in a series that is no value, or a whole series that cannot be read."""

    metric: str
    code: str | None
    """None: the series does not say whose it is."""
    reason: str
    record: object
    called: Mapping[str, object] | None = None
    """How the answer calls a whole series: its other values differ from span to span. None: it is a single point."""


@dataclass(frozen=True)
class Point:
    """One value of a network's series."""

    time: datetime
    """Where its interval begins, aware; of ``5m`` AEMO's stamp, where the five minutes end."""
    metric: str
    unit: str | None
    """As the API spells it: MW, MWh, t, $, $/MWh."""
    groups: Mapping[str, str]
    """By grouping: ``{"network_region": "NSW1", "fueltech_group": "coal"}``; a region always under this name."""
    value: float


class OpenElectricity:
    """The API v4 behind a session that sends the key."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def facilities(self, network: Network) -> tuple[list[Facility], list[tuple[object, str]]]:
        """The facilities of a network, and what could not be read as one, with the reason.

        A unit of an unknown fuel technology is among the latter, and its facility keeps it: see `weight`.
        Raises the errors of `apis.errors`: `BadAnswer` where the answer is not of the documented form.
        """
        answer, body = self._get("/v4/facilities/", {"network_id": network})
        records = _list(answer, "data", body)
        if not records:
            raise BadAnswer(f"read no facility of {network}, expected some", body)
        facilities, bad = [], []
        for record in records:
            try:
                facility, unknown = _facility(record)
            except ValueError as error:
                bad.append((record, str(error)))
            else:
                facilities.append(facility)
                bad += unknown
        return facilities, bad

    def power_and_emissions(
        self, network: Network, codes: Sequence[str], since: datetime, until: datetime, spare: bool = False
    ) -> Iterator[Value | BadValue]:
        """The five minutes of each unit of at most 30 facilities, since ≤ time < until, at most 8 days.

        `spare` says that the call may be forbidden to save calls.
        There are none where the API says that it has none. Raises the errors of `apis.errors`.
        """
        if len(codes) > MOST_FACILITIES:
            raise ValueError(f"read {len(codes)} facilities, expected at most {MOST_FACILITIES} a call")
        parameters = {"facility_code": list(codes), "metrics": ["power", "emissions"]}
        path, names = f"/v4/data/facilities/{network}", ("unit_code",)
        yield from self._series(path, network, parameters, since, until, names, spare)

    def price_and_demand(
        self, network: Network, since: datetime, until: datetime, spare: bool = False
    ) -> Iterator[Value | BadValue]:
        """The five minutes of each region, since ≤ time < until, at most 8 days.

        `spare` says that the call may be forbidden to save calls.
        There are none where the API says that it has none. Raises the errors of `apis.errors`.
        """
        parameters = {"metrics": ["price", "demand"], "primary_grouping": "network_region"}
        names = ("region", "network_region")
        yield from self._series(f"/v4/market/network/{network}", network, parameters, since, until, names, spare)

    def network_series(
        self,
        network: Network,
        metrics: Sequence[str],
        since: datetime,
        until: datetime,
        interval: str = "5m",
        primary_grouping: str | None = None,
        secondary_grouping: str | None = None,
    ) -> Iterator[Point]:
        """The values of a network's data and market metrics, since ≤ time < until, in as many calls as it takes.

        Values that are null are left out, and there are none where the API says that it has none.
        Raises the errors of `apis.errors`: `BadAnswer` where the answer is not of the documented form.
        """
        endpoints = [
            ("data", [one for one in metrics if one in DATA_METRICS], secondary_grouping),
            ("market", [one for one in metrics if one in MARKET_METRICS], None),
        ]
        pieces = list(cut(since, until, LONGEST[interval]))
        for (endpoint, asked, secondary), (begin, end) in product(endpoints, pieces):
            if asked:
                groupings = {"primary_grouping": primary_grouping, "secondary_grouping": secondary}
                parameters = {"metrics": asked, "interval": interval, **_span(begin, end, network)}
                parameters |= {name: value for name, value in groupings.items() if value}
                for point in self._points(f"/v4/{endpoint}/network/{network}", parameters, network):
                    if begin <= point.time < end:  # some versions give the last interval too
                        yield point

    def _points(self, path: str, parameters: Mapping[str, Any], network: Network) -> Iterator[Point]:
        metrics, body = self._metrics(path, parameters)
        for metric in metrics:
            unit = metric.get("unit") if isinstance(metric, dict) else None
            for result in _list(metric, "results", body):
                groups = _groups(result, body)
                for point in _list(result, "data", body):
                    if not isinstance(point, list) or len(point) != 2:
                        raise BadAnswer(f"data: read {point!r}, expected [time, value]", body)
                    time, value = point
                    if value is None:
                        continue
                    if isinstance(value, bool) or not isinstance(value, int | float):
                        raise BadAnswer(f"{metric.get('metric')}: read {value!r}, expected a number", body)
                    yield Point(_aware(time, network, body), str(metric.get("metric")), unit, groups, float(value))

    def _series(
        self,
        path: str,
        network: Network,
        parameters: Mapping[str, Any],
        since: datetime,
        until: datetime,
        names: Sequence[str],
        spare: bool,
    ) -> Iterator[Value | BadValue]:
        asked = {**parameters, "interval": "5m", **_span(since, until, network)}
        metrics, body = self._metrics(path, asked, spare)
        results = [(str(metric.get("metric")), one) for metric in metrics for one in _list(metric, "results", body)]
        codes = [_code(result, names) for _, result in results]
        if results and not any(codes):
            raise BadAnswer(f"columns: read none with {' or '.join(names)}, expected it in each", body)
        for (metric, result), code in zip(results, codes, strict=True):
            if code is None:
                yield BadValue(metric, None, f"columns: expected {' or '.join(names)}", result, _called(result))
            else:
                yield from _values(metric, code, result)

    def _metrics(self, path: str, parameters: Mapping[str, Any], spare: bool = False) -> tuple[list[Any], bytes]:
        """The metrics of an answer, none where the API says that it has no value in the span, and its body."""
        try:
            answer, body = self._get(path, parameters, spare)
        except Refused as refusal:
            if NO_DATA in str(refusal):
                return [], b""
            raise
        return _list(answer, "data", body), body

    def _get(self, path: str, parameters: Mapping[str, Any], spare: bool = False) -> tuple[Any, bytes]:
        try:
            return self._session.get_json(path, parameters, spare)
        except Unauthorized as refusal:
            why = "the key is wrong or may not ask for this, or its plan's calls of the day are used up"
            raise Unauthorized(f"{why}: {refusal}") from None


def _code(result: Any, names: Sequence[str]) -> str | None:
    """Whose series it is: the first of the names that its columns have."""
    columns = result.get("columns") if isinstance(result, dict) else None
    named = columns if isinstance(columns, dict) else {}
    return next((code for name in names if isinstance(code := named.get(name), str) and code), None)


def _called(result: Any) -> Mapping[str, object]:
    return {name: result.get(name) for name in ("name", "columns")} if isinstance(result, dict) else {}


def _values(metric: str, code: str, result: Mapping[str, Any]) -> Iterator[Value | BadValue]:
    points = result.get("data")
    if not isinstance(points, list):
        yield BadValue(metric, code, f"data of {code}: read {points!r}, expected a list", result, _called(result))
        return
    for point in points:
        if isinstance(point, list) and len(point) == 2:
            yield Value(metric, code, *point)
        else:
            record = {"metric": metric, "code": code, "point": point}  # another unit's may be wrong in the same way
            yield BadValue(metric, code, f"data of {code}: read {point!r}, expected [time, value]", record)


def cut(since: datetime, until: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The span in pieces that a call may ask for."""
    while since < until:
        yield since, min(until, since + longest)
        since += longest


def _span(since: datetime, until: datetime, network: Network) -> dict[str, str]:
    return {"date_start": _network_time(since, network), "date_end": _network_time(until, network)}


def _groups(result: Any, body: bytes) -> dict[str, str]:
    columns = result.get("columns") if isinstance(result, dict) else None
    if not isinstance(columns, dict):
        raise BadAnswer(f"columns: read {columns!r}, expected an object", body)
    groups = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in columns.items()
        if value is not None
    }
    if "region" in groups:
        groups["network_region"] = groups.pop("region")
    return groups


def _aware(time: object, network: Network, body: bytes) -> datetime:
    """A time with its offset, or else in the network's own time."""
    try:
        instant = datetime.fromisoformat(time) if isinstance(time, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise BadAnswer(f"data: read {time!r}, expected an ISO-8601 time", body)
    return instant if instant.tzinfo else instant.replace(tzinfo=OFFSETS[network])


def _network_time(instant: datetime, network: Network) -> str:
    return instant.astimezone(OFFSETS[network]).replace(tzinfo=None).isoformat(timespec="seconds")


def _list(holder: Any, name: str, body: bytes) -> list[Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        raise BadAnswer(f"expected an object with the list {name!r}", body)
    return found


def _facility(record: Any) -> tuple[Facility, list[tuple[object, str]]]:
    if not isinstance(record, dict) or not isinstance(record.get("code"), str) or not record["code"]:
        raise ValueError("code: expected a facility with a code")
    units = record.get("units")
    if not isinstance(units, list) or not all(isinstance(unit, dict) and unit.get("code") for unit in units):
        raise ValueError(f"units of {record['code']}: expected a list of units with their codes")
    unknown = [unit for unit in units if str(unit.get("fueltech_id")) not in GROUPS]
    facility = Facility(
        record["code"],
        any(unit.get("status_id") == "operating" for unit in units),
        {str(unit["code"]): str(unit.get("fueltech_id")) for unit in units},
    )
    reasons = [
        (unit, f"fueltech_id of {unit['code']}: read {unit.get('fueltech_id')!r}, expected one of {', '.join(GROUPS)}")
        for unit in unknown
    ]
    return facility, reasons
