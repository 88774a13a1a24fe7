"""What a kilowatt hour costs in each half hour: a file that a user can replace, and the days it is laid on.

A day is a local one of the tariff's zone. Clock changes give days of 46 and 50 half hours; each costs what its local
time says, so a repeated hour costs the same twice.
"""

import functools
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from readings.errors import ConfigError
from readings.problems import reason_of
from readings.settings import Settings

DEFAULT_FILE = Path(__file__).with_name("tariff.yml")
HALF_HOUR_MS = 30 * 60 * 1000
HALF_HOURS = 48
"""Of a day without a clock change."""


def _half_hour(text: str) -> str:
    text = "00:00" if text == "24:00" else text
    at = time.fromisoformat(text)
    if at.minute % 30 or at.second or at.microsecond or at.tzinfo:
        raise ValueError(f"read {text!r}, expected a full or a half hour such as 08:30")
    return text


class Period(BaseModel):
    """A part of the day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=50)]
    begins: Annotated[str, AfterValidator(_half_hour)] = Field(alias="from")
    ends: Annotated[str, AfterValidator(_half_hour)] = Field(alias="until")
    per_kwh: Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]

    @property
    def half_hours(self) -> list[int]:
        """The numbers of its half hours, 0 being midnight's."""
        first, last = (_number(text) for text in (self.begins, self.ends))
        return [half_hour % HALF_HOURS for half_hour in range(first, last if last > first else last + HALF_HOURS)]


class Tariff(BaseModel):
    """A daily cycle of prices, all days alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = "Europe/Lisbon"
    currency: Annotated[str, Field(pattern="^EUR$")] = "EUR"
    periods: tuple[Period, ...]

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"read {zone!r}, expected a time zone such as Europe/Lisbon") from None
        return zone

    @model_validator(mode="after")
    def _whole_day(self) -> "Tariff":
        times = [half_hour for period in self.periods for half_hour in period.half_hours]
        for wrong, what in ((set(range(HALF_HOURS)) - set(times), "no price"), (_twice(times), "two prices")):
            if wrong:
                first = min(wrong)
                raise ValueError(
                    f"periods: {first // 2:02}:{first % 2 * 30:02} has {what}, expected one each half hour"
                )
        return self

    @functools.cached_property
    def by_half_hour(self) -> tuple[Period, ...]:
        """The period of each half hour of a day, from midnight on."""
        found = {half_hour: period for period in self.periods for half_hour in period.half_hours}
        return tuple(found[half_hour] for half_hour in range(HALF_HOURS))


@dataclass(frozen=True)
class Day:
    """A local day."""

    name: str
    """``2026-11-25``."""
    month: str
    """``2026-11``."""
    starts_ms: NDArray[np.int64]
    """When each of its half hours begins, Unix milliseconds; 46, 48 or 50 of them."""
    prices: NDArray[np.float64]
    """What each costs, €/kWh."""
    periods: tuple[str, ...]
    """The period's name of each."""

    @property
    def start_ms(self) -> int:
        """When it begins."""
        return int(self.starts_ms[0])

    @property
    def end_ms(self) -> int:
        """When the next one begins."""
        return int(self.starts_ms[-1]) + HALF_HOUR_MS


class Calendar:
    """Local days and months, and what their half hours cost."""

    def __init__(self, tariff: Tariff) -> None:
        self._tariff = tariff
        self._zone = ZoneInfo(tariff.zone)
        self.day = functools.lru_cache(maxsize=1000)(self._day)

    def day_of(self, instant_ms: int) -> Day:
        """The day that an instant lies in."""
        return self.day(self._local(instant_ms).date())

    def month_start_ms(self, instant_ms: int) -> int:
        """When the month of an instant begins."""
        return self.day(self._local(instant_ms).date().replace(day=1)).start_ms

    def days(self, first_ms: int, last_ms: int) -> list[Day]:
        """The days from the one of an instant to the one of another, in order."""
        one, last = self._local(first_ms).date(), self._local(last_ms).date()
        return [self.day(one + timedelta(days=number)) for number in range((last - one).days + 1)]

    def _local(self, instant_ms: int) -> datetime:
        return datetime.fromtimestamp(instant_ms / 1000, self._zone)

    def _day(self, day: date) -> Day:
        first, last = (self._midnight_ms(one) for one in (day, day + timedelta(days=1)))
        starts = np.arange(first, last, HALF_HOUR_MS, dtype=np.int64)
        local = [self._local(int(start)) for start in starts]
        periods = [self._tariff.by_half_hour[at.hour * 2 + at.minute // 30] for at in local]
        prices = np.array([period.per_kwh for period in periods])
        return Day(day.isoformat(), f"{day:%Y-%m}", starts, prices, tuple(period.name for period in periods))

    def _midnight_ms(self, day: date) -> int:
        return int(datetime.combine(day, time(), self._zone).timestamp() * 1000)


def tariff_of(settings: Settings) -> Tariff:
    """The tariff that the settings name, Lisbon's where they name none. Raises ConfigError."""
    return load_tariff(settings.meter_tariff_file or DEFAULT_FILE)


def load_tariff(path: Path) -> Tariff:
    """The tariff of a file. Raises ConfigError that says what was read and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
        return Tariff.model_validate(yaml.load(text, yaml.BaseLoader))  # noqa: S506 - texts alone: else 22:00 is 1320
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"METER_TARIFF_FILE: {path}: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"METER_TARIFF_FILE: {path}: {reason_of(error)}") from error


def _number(text: str) -> int:
    at = time.fromisoformat(text)
    return at.hour * 2 + at.minute // 30


def _twice(numbers: list[int]) -> set[int]:
    return {number for number in numbers if numbers.count(number) > 1}
