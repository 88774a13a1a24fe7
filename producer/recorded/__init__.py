"""What only one stream's recordings need: how far back they are played, and how time between two readings is filled."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from producer.laid import Interpolate
from producer.recorded import weather


@dataclass(frozen=True)
class Recorded:
    """How a stream's recordings are played."""

    backfill: timedelta
    interpolate: Interpolate | None
    """None where only what was recorded can be played: an hour's energy has no value of a minute."""


RECORDED: Mapping[str, Recorded] = {
    "weather": Recorded(timedelta(days=28), weather.interpolate),
    "production": Recorded(timedelta(days=28), None),
}
"""By stream."""
