"""The live sources, one module each."""

from collections.abc import Mapping

from producer.sources import elhub, meters, mqtt, open_meteo, openelectricity, openweathermap
from producer.sources.live import Live
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import Stream

LIVE: Mapping[str, Live] = {
    "elhub": elhub.LIVE,
    "meters": meters.LIVE,
    "mqtt": mqtt.LIVE,
    "open_meteo": open_meteo.LIVE,
    "openelectricity": openelectricity.LIVE,
    "openweathermap": openweathermap.LIVE,
}
"""By the name that ``skywatt.yml`` and the readings give as `source`."""


def check_sources(stream: Stream) -> None:
    """Raises ConfigError where ``skywatt.yml`` names a source that is not known."""
    for name in stream.config.sources:
        if name not in LIVE:
            raise ConfigError(
                f"skywatt.yml: streams.{stream.name}.sources: read {name!r}, expected some of {', '.join(LIVE)}"
            )


def chosen_source(stream: Stream, settings: Settings) -> str | None:
    """The first of a stream's sources whose variables are set."""
    return next((name for name in stream.config.sources if LIVE[name].missing(settings) is None), None)


def missing_variables(stream: Stream, settings: Settings) -> str:
    """What can be set for a stream to go live, for people: ``OPENELECTRICITY_API_KEY or MQTT_URL``."""
    return " or ".join(name for one in stream.config.sources if (name := LIVE[one].missing(settings)))
