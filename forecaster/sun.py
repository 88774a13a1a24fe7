"""Where the sun stands, well enough for a forecast of temperature.

Mean solar time and Cooper's declination (Solar Energy 12, 1969); daily insolation at the top of the atmosphere as a
share of the solar constant (Hartmann, Global Physical Climatology, 2.7), the Earth's orbit taken as a circle.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
YEAR_DAYS = 365.2425
SOLSTICE_DAY = 10
"""Days from the December solstice to 1 January."""
TILT_RAD = 0.4093


def hour_angle(hours: Floats, longitude: Floats) -> Floats:
    """Radians from local solar noon, for hours since 1970-01-01T00Z and degrees east."""
    return 2 * np.pi * (hours % 24 / 24 + longitude / 360) - np.pi


def daily_insolation(hours: Floats, latitude: Floats) -> Floats:
    """Mean over the day that contains `hours`, 0 to about 0.45, for degrees north."""
    declination = -TILT_RAD * np.cos(2 * np.pi * (hours / 24 % YEAR_DAYS + SOLSTICE_DAY) / YEAR_DAYS)
    north = np.radians(np.clip(latitude, -89.9, 89.9))
    sunset = np.arccos(np.clip(-np.tan(north) * np.tan(declination), -1, 1))
    over_day: Floats = sunset * np.sin(north) * np.sin(declination) + np.cos(north) * np.cos(declination) * np.sin(
        sunset
    )
    return over_day / np.pi
