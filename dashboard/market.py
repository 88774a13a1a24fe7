"""The market from the store: its newest readings for the board, and its sums over the last day in a rolling window."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from dashboard.board import Board, Seen
from dashboard.store import Store
from readings.connections import Document
from readings.facility import Facility
from readings.market import Market

WINDOW = timedelta(hours=24)
PIECE = timedelta(hours=2)
"""Of the window this much is read at once, the newest first, until all is there."""
RECENT = timedelta(minutes=30)
AGAIN = timedelta(minutes=15)
"""Sums of so long ago may still change."""
ROUND_S = 0.4
FUEL_FIELDS = {"_id": 0, "timestamp": 1, "network_region": 1, "fuel_group": 1, "power_mw": 1, "emissions_t": 1}
SUM_FIELDS = {**FUEL_FIELDS, "price_per_mwh": 1, "demand_mw": 1, "spike": 1}
WEEK_HOURS = 168

SumKey = tuple[datetime, str, str]


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
        self._board = Board(store.streams["facility"].config.places())
        self._newest: dict[str, datetime] = {}
        self._sums: dict[SumKey, Document] = {}
        self._since: datetime | None = None
        self._frame: pd.DataFrame = frame_of([])

    def read(self) -> MarketSeen:
        """A round. Raises PyMongoError."""
        now = datetime.now(UTC)
        until = time.monotonic() + ROUND_S
        self._read_new("facility", now)
        self._read_new("market", now)
        changed = self._read_sums(now, until)
        if changed or self._since is None:
            self._sums = {key: one for key, one in self._sums.items() if key[0] >= now - WINDOW}
            self._frame = frame_of(self._sums.values())
        return MarketSeen(now, self._board.seen(), self._frame, self._since or now)

    def _read_new(self, name: str, now: datetime) -> None:
        since = self._newest.get(name)
        span = {"$gte": since - timedelta(minutes=1) if since else now - RECENT}
        stream = self._store.streams[name]
        fields = {"_id": 0, **dict.fromkeys(stream.model.model_fields, 1)}
        found = list(self._store.database[stream.collection].find({"timestamp": span}, fields).sort("timestamp", 1))
        model: type[Facility | Market] = Facility if name == "facility" else Market
        self._board.take(model.model_validate(one) for one in found)
        if found:
            self._newest[name] = found[-1]["timestamp"]

    def _read_sums(self, now: datetime, until: float) -> bool:
        changed = False
        if self._since is None:
            self._since = now - PIECE
            changed = self._take(self._since, now + AGAIN)
        else:
            newest = max((key[0] for key in self._sums), default=now - PIECE)
            changed = self._take(newest - AGAIN, now + AGAIN)
        while self._since > now - WINDOW and time.monotonic() < until:
            before = max(now - WINDOW, self._since - PIECE)
            changed = self._take(before, self._since) or changed
            self._since = before
        return changed

    def _take(self, first: datetime, before: datetime) -> bool:
        found = sums_between(self._store, {"$gte": first, "$lt": before})
        changed = False
        for one in found:
            key = (one["timestamp"], one["network_region"], one.get("fuel_group", ""))
            if self._sums.get(key) != one:
                self._sums[key] = one
                changed = True
        return changed


def sums_between(store: Store, span: Document) -> list[Document]:
    """Sums of the market whose ``timestamp`` a filter takes."""
    return list(store.database["market_sums"].find({"timestamp": span}, SUM_FIELDS))


def week_of(store: Store, now: datetime) -> pd.DataFrame:
    """The first five minutes of each hour of the last week, as `MarketSeen.sums` has them."""
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


def by_region(sums: pd.DataFrame, regions: Sequence[str], measure: str) -> pd.DataFrame:
    """``timestamp, network_region, value, spike`` of the regions' prices or demands."""
    rows = sums[sums["fuel_group"].isna() & sums[measure].notna()]
    rows = rows[rows["network_region"].isin(regions)] if regions else rows
    found = rows[["timestamp", "network_region", measure, "spike"]].rename(columns={measure: "value"})
    found["spike"] = found["spike"].eq(True)
    return found
