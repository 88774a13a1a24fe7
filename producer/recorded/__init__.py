"""What only one stream's recordings need: how far back they are played, and how time between two readings is filled."""

from collections.abc import Mapping
from datetime import timedelta

from producer.laid import Recorded
from producer.recorded import meter, weather

RECORDED: Mapping[str, Recorded] = {
    "weather": Recorded(timedelta(days=28), weather.interpolate),
    "production": Recorded(timedelta(days=28)),
    "meter": Recorded(timedelta(days=28), meter.interpolate, meter.carry_on),
    "facility": Recorded(timedelta(hours=6)),
    "market": Recorded(timedelta(days=1)),
}
"""By stream. Facilities are many: six hours of them are as much as 28 days of all the others."""
