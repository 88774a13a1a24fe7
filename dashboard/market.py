"""The market from the store: its newest readings for the board, and its sums over the last day in a rolling window."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
from pydantic import ValidationError

from dashboard.arrivals import BEHIND_EVERY_S
from dashboard.board import STALE, Board, Seen
from dashboard.store import Store
from readings.connections import Document
from readings.facility import Facility
from readings.market import Market
from readings.problems import reason_of

WINDOW = timedelta(hours=24)
PIECE = timedelta(hours=2)
"""Of the window this much is read at once, the newest first: at first until all is there, then a piece a round."""
NEAR = timedelta(minutes=15)
"""Sums so near to now are read each round."""
ROUND_S = 0.4
FUEL_FIELDS = {"_id": 0, "timestamp": 1, "network_region": 1, "fuel_group": 1, "power_mw": 1, "emissions_t": 1}
SUM_FIELDS = {**FUEL_FIELDS, "price_per_mwh": 1, "demand_mw": 1, "spike": 1}
WEEK_HOURS = 168

SumKey = tuple[datetime, str, str]
SeriesKey = tuple[str, datetime]


@dataclass(frozen=True)
class MarketSeen:
    """What is known of the market at an instant."""

    at: datetime
    seen: Seen
    sums: pd.DataFrame
    """``timestamp, network_region, fuel_group, power_mw, emissions_t, price_per_mwh, demand_mw, spike`` of the window;
    a row of a fuel group, or of a region's price, which has no fuel group."""
    since: datetime
    """From when on the window is filled."""


class MarketReader:
    """Reads a round at a time. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begin()
        self._behind_at = -math.inf
        self._sums: dict[SumKey, Document] = {}
        self._walked_to: datetime | None = None
        self._since: datetime | None = None
        self._frame: pd.DataFrame = frame_of([])

    def read(self) -> MarketSeen:
        """A round. Raises PyMongoError."""
        now = datetime.now(UTC)
        began = time.monotonic()
        behind = began - self._behind_at >= BEHIND_EVERY_S
        if not all([self._read_new(name, now, behind) for name in self._known]):
            self._begin()
            for name in self._known:
                self._read_new(name, now, behind)
        if behind:
            self._behind_at = began
        if self._read_sums(now, began + ROUND_S):
            self._sums = {key: one for key, one in self._sums.items() if key[0] >= now - WINDOW}
            self._frame = frame_of(self._sums.values())
        return MarketSeen(now, self._board.seen(), self._frame, self._since or now)

    def _begin(self) -> None:
        """With nothing known."""
        self._board = Board(self._store.streams["facility"].config.places())
        self._known: dict[str, dict[SeriesKey, Document]] = {"facility": {}, "market": {}}

    def _read_new(self, name: str, now: datetime, behind: bool) -> bool:
        """Takes what is new or revised since the newest; `behind`, and at first: since what counts as stale.

        False where something that is known of that time is not stored any more, as after ``go-live``.
        """
        stream = self._store.streams[name]
        known = self._known[name]
        newest = max((at for _, at in known), default=now)
        since = newest - (STALE if behind or not known else timedelta(minutes=1))
        fields = {"_id": 0, **dict.fromkeys(stream.model.model_fields, 1)}
        readings = self._store.database[stream.collection].find({"timestamp": {"$gte": since}}, fields)
        (field,) = stream.model.series_fields
        found = {(one[field], one["timestamp"]): one for one in readings.sort("timestamp", 1)}
        if any(key[1] >= since and key not in found for key in known):
            return False
        new = {key: one for key, one in found.items() if known.get(key) != one}
        model: type[Facility | Market] = Facility if name == "facility" else Market
        for one in new.values():
            try:
                self._board.take([model.model_validate(one)])
            except ValidationError as error:  # once: it is known from now on
                self._board.refuse(reason_of(error))
        newest = max((at for _, at in new), default=newest)
        self._known[name] = {key: one for key, one in (known | new).items() if key[1] >= newest - STALE}
        return True

    def _read_sums(self, now: datetime, until: float) -> bool:
        changed = self._take(now - NEAR, now + NEAR)
        while True:
            if self._walked_to is None or self._walked_to <= now - WINDOW:
                self._walked_to = now - NEAR
            before = max(self._walked_to - PIECE, now - WINDOW)
            changed = self._take(before, self._walked_to) or changed
            self._walked_to = before
            self._since = before if self._since is None else min(self._since, before)
            if self._since <= now - WINDOW or time.monotonic() >= until:
                return changed

    def _take(self, first: datetime, before: datetime) -> bool:
        """Has of that time what the store has of it; whether that is something else."""
        found = {
            (one["timestamp"], one["network_region"], one.get("fuel_group", "")): one
            for one in sums_between(self._store, {"$gte": first, "$lt": before})
        }
        known = {key: one for key, one in self._sums.items() if first <= key[0] < before}
        if found == known:
            return False
        for key in known:
            del self._sums[key]
        self._sums |= found
        return True


def sums_between(store: Store, span: Document) -> list[Document]:
    """Sums of the market whose ``timestamp`` a filter takes."""
    return list(store.database["market_sums"].find({"timestamp": span}, SUM_FIELDS))


def week_of(store: Store, now: datetime) -> pd.DataFrame:
    """The last five minutes before each full hour of the last week, as `MarketSeen.sums` has them."""
    last = now.replace(minute=0, second=0, microsecond=0)
    hours = [last - timedelta(hours=number) for number in range(WEEK_HOURS)]
    return frame_of(sums_between(store, {"$in": hours}))


def frame_of(found: Iterable[Document]) -> pd.DataFrame:
    """The rows in the order of time."""
    columns = [name for name in SUM_FIELDS if name != "_id"]
    frame = pd.DataFrame(list(found), columns=columns)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True)
    return frame.sort_values("timestamp", ignore_index=True)


def by_fuel(sums: pd.DataFrame, regions: Sequence[str], fuels: Sequence[str], measure: str) -> pd.DataFrame:
    """``timestamp, fuel_group, value`` over the regions and fuels; nothing named is all."""
    rows = sums[sums["fuel_group"].notna()]
    rows = rows[rows["network_region"].isin(regions)] if regions else rows
    rows = rows[rows["fuel_group"].isin(fuels)] if fuels else rows
    found: pd.DataFrame = rows.groupby(["timestamp", "fuel_group"])[[measure]].sum().reset_index()
    return found.rename(columns={measure: "value"})


def stacked(rows: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """`by_fuel`'s rows with ``low, high``, from where to where each is drawn.

    What is given is above zero, what is taken below, each in the order of the fuels from zero on. A fuel of which
    nothing came at a time has no height and no row there.
    """
    present = sorted(rows["fuel_group"].unique(), key=lambda fuel: order.index(fuel) if fuel in order else len(order))
    table = rows.pivot_table(index="timestamp", columns="fuel_group", values="value")[present]
    height = table.fillna(0.0)
    given, taken = height.clip(lower=0).cumsum(axis="columns"), height.clip(upper=0).cumsum(axis="columns")
    high = given.where(height >= 0, taken)
    told = {"value": table, "low": high - height, "high": high}
    rows = pd.concat({name: frame.stack() for name, frame in told.items()}, axis="columns")
    return rows.dropna(subset=["value"]).reset_index()


def by_region(sums: pd.DataFrame, regions: Sequence[str], measure: str) -> pd.DataFrame:
    """``timestamp, network_region, value, spike`` of the regions' prices or demands."""
    rows = sums[sums["fuel_group"].isna() & sums[measure].notna()]
    rows = rows[rows["network_region"].isin(regions)] if regions else rows
    found = rows[["timestamp", "network_region", measure, "spike"]].rename(columns={measure: "value"})
    found["spike"] = found["spike"].eq(True)
    return found
