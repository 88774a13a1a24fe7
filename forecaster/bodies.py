"""What is sent and what is answered, for pydantic and for the OpenAPI description."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticKnownError
from typing_extensions import TypedDict

from forecaster.forecasts import Kind

BOUNDS = {
    Kind.TEMPERATURE: (-90.0, 60.0),
    Kind.PRICE: (-1e5, 1e5),
    Kind.DEMAND: (-1e12, 1e12),
    Kind.PRODUCTION: (-1e12, 1e12),
    Kind.POWER: (-1e12, 1e12),
}
"""What a value may be, in °C, in a currency per MWh, and in any unit of power or energy."""
EXAMPLE: JsonDict = {
    "latitude": 60.39,
    "longitude": 5.32,
    "horizon": 2,
    "data": [{"ds": "2026-11-24T11:00:00Z", "y": 4.1}, {"ds": "2026-11-24T12:00:00Z", "y": 4.6}],
}
ANSWERED: JsonDict = {
    "used": 2,
    "filled": 0,
    "predictions": [
        {"timestamp": "2026-11-24T13:00:00Z", "temperature": 4.59, "lower": 3.35, "upper": 5.84},
        {"timestamp": "2026-11-24T14:00:00Z", "temperature": 4.59, "lower": 2.85, "upper": 6.32},
    ],
}
"""To `EXAMPLE`."""
MANY: list[JsonDict] = [
    {"series": "Bergen", "kind": "temperature", **EXAMPLE},
    {"series": "Oslo", "kind": "temperature", "data": []},
]
MANY_ANSWERED: list[JsonDict] = [
    {
        "series": "Bergen",
        "kind": "temperature",
        "used": 2,
        "filled": 0,
        "predictions": [
            {"timestamp": "2026-11-24T13:00:00Z", "value": 4.59, "lower": 3.35, "upper": 5.84},
            {"timestamp": "2026-11-24T14:00:00Z", "value": 4.59, "lower": 2.85, "upper": 6.32},
        ],
    },
    {
        "series": "Oslo",
        "kind": "temperature",
        "problem": "too_short",
        "detail": "data: read 0 points with a value at different times, at least 2 are needed",
    },
]


def _in_living_memory(when: datetime) -> datetime:
    if not 1900 <= when.year < 2200:
        raise ValueError("expected a time of the years 1900 to 2199")
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _number(sent: object) -> object:
    """Refuses what pydantic would take: true as 1, and "1_0" as 10."""
    if isinstance(sent, bool) or (isinstance(sent, str) and "_" in sent):
        raise PydanticKnownError("float_type")
    return sent


IsNumber = BeforeValidator(_number)
Instant = Annotated[datetime, AfterValidator(_in_living_memory)]
Horizon = Annotated[int, IsNumber, Field(ge=1, le=168, description="whole hours to forecast")]
Latitude = Annotated[float, IsNumber, Field(ge=-90, le=90, allow_inf_nan=False, description="degrees north")]
Longitude = Annotated[float, IsNumber, Field(ge=-180, le=180, allow_inf_nan=False, description="degrees east")]
Celsius = Annotated[
    float, IsNumber, Field(ge=BOUNDS[Kind.TEMPERATURE][0], le=BOUNDS[Kind.TEMPERATURE][1], allow_inf_nan=False)
]


class Point(TypedDict):
    """A temperature in °C at a time; a naive time is UTC, a null value is left out.

    A dict: of 200,000 points models would take three times its memory.
    """

    ds: Instant
    y: Celsius | None


class Body(BaseModel):
    """What is known of a place, in any order and spacing."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    latitude: Latitude | None = None
    longitude: Longitude | None = None
    horizon: Horizon = 48
    data: list[Point]


class Prediction(BaseModel):
    """One hour: temperature and its 80 % interval in °C."""

    timestamp: datetime
    temperature: float
    lower: float
    upper: float


class Done(BaseModel):
    """What was made of the readings."""

    used: int = Field(description="readings used: with a value, at different times, of the newest 60 days")
    filled: int = Field(description="hours of the grid without a reading nearby, interpolated")


class Answer(Done):
    """The next whole hours after the newest point, in order."""

    model_config = ConfigDict(json_schema_extra={"example": ANSWERED})

    predictions: list[Prediction]


class AnyPoint(TypedDict):
    """A value in the unit of the series at a time; a naive time is UTC, a null value is left out."""

    ds: Instant
    y: Annotated[float, IsNumber, Field(allow_inf_nan=False)] | None


class Series(BaseModel):
    """What is known of one of many series, in any order and spacing."""

    model_config = ConfigDict(json_schema_extra={"example": MANY[0]})

    series: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Kind
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    horizon: Horizon = 48
    data: list[AnyPoint]

    @model_validator(mode="after")
    def _in_bounds(self) -> "Series":
        least, most = BOUNDS[self.kind]
        for i, point in enumerate(self.data):
            y = point["y"]
            if y is not None and not least <= y <= most:
                raise OutOfBoundsError(f"data.{i}.y: read {y:g}, expected {least:g} to {most:g} for {self.kind}")
        return self


class OutOfBoundsError(ValueError):
    """A value that its kind cannot have."""


class AnyPrediction(BaseModel):
    """One hour: the value and its 80 % interval in the unit of the series."""

    timestamp: datetime
    value: float
    lower: float
    upper: float


class SeriesForecast(Done):
    """The forecast of one series."""

    series: str
    kind: Kind
    predictions: list[AnyPrediction]


class SeriesProblem(BaseModel):
    """Why a series has no forecast."""

    series: str | None = Field(description="as sent; null where none was named")
    kind: str | None
    problem: str = Field(description="too_short, constant, not_a_number, out_of_bounds, or invalid")
    detail: str = Field(description="one sentence: where, what was read, what was expected")


def problem_of(errors: Sequence[Any]) -> tuple[str, str]:
    """Name and sentence of the first of pydantic's errors."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"])
    text = str(first["msg"]).removeprefix("Value error, ")
    sentence = f"{where}: {text}" if where else text
    if isinstance(first.get("ctx", {}).get("error"), OutOfBoundsError) or first["type"].endswith("_than_equal"):
        return "out_of_bounds", sentence
    if first["type"] in ("finite_number", "float_parsing", "float_type", "int_parsing", "int_type"):
        return "not_a_number", sentence
    return "invalid", sentence
