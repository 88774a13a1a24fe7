"""Where messages lead to: read as a browser and Kibana read an address."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts.links import Link, linker
from readings.settings import Settings
from readings.stream import load_streams

BEGAN = datetime(2026, 11, 24, 3, 0, 1, 500_000, tzinfo=UTC)
STREAMS = load_streams(Settings(_env_file=None))


def link(series: str = "Bergen", stream: str = "weather", ended: datetime | None = None, **settings: str) -> Link:
    return linker(Settings(_env_file=None).model_copy(update=settings))(STREAMS[stream], series, BEGAN, ended)


def test_the_dashboard_is_asked_for_what_it_understands_and_nothing_else() -> None:
    told = link("NO5/hydro & more", "production", BEGAN + timedelta(hours=1))
    address = urlsplit(told.url)

    assert told.text == "NO5/hydro & more on the dashboard"
    assert (address.scheme, address.netloc, address.path) == ("http", "127.0.0.1:8501", "/")
    assert parse_qs(address.query) == {
        "stream": ["production"],
        "name": ["NO5/hydro & more"],
        "since": ["2026-11-23T21:00:01Z"],
        "until": ["2026-11-24T04:00:01Z"],
    }
    assert "until" not in parse_qs(urlsplit(link().url).query), "it goes on"


def test_late_readings_lie_in_the_span_though_they_are_older_than_their_arrival() -> None:
    by_event_time = linker(Settings(_env_file=None))(STREAMS["production"], "NO5/hydro", BEGAN, None, 73 * 3600)
    assert parse_qs(urlsplit(by_event_time.url).query)["since"] == ["2026-11-20T20:00:01Z"]
    by_arrival = linker(Settings(_env_file=None).model_copy(update={"kibana_url": "https://k"}))
    assert by_arrival(STREAMS["weather"], "Oslo", BEGAN, None, 9e5) == by_arrival(
        STREAMS["weather"], "Oslo", BEGAN, None
    )


def test_the_dashboards_public_address_is_a_setting() -> None:
    assert link(dashboard_url="https://skywatt.example/grid/").url.startswith("https://skywatt.example/grid/?stream=")


@pytest.mark.parametrize(("ended", "until"), [(None, "now"), (BEGAN + timedelta(hours=1), "'2026-11-24T04:00:01Z'")])
def test_kibana_shows_the_series_from_six_hours_before_the_trouble_to_its_end(
    ended: datetime | None, until: str
) -> None:
    told = link('O\'Neil "!"', ended=ended, kibana_url="https://kibana.example/")
    address = urlsplit(told.url)
    page, _, state = address.fragment.partition("?")
    asked = parse_qs(state)

    assert (address.netloc, address.path, page) == ("kibana.example", "/app/discover", "/")
    assert asked["_g"] == [f"(time:(from:'2026-11-23T21:00:01Z',to:{until}))"]
    assert asked["_a"] == [
        "(dataSource:(dataViewId:skywatt-readings-by-arrival,type:dataView),"
        'query:(language:kuery,query:\'_index:readings-weather-* and series:"O!\'Neil \\"!!\\""\'))'
    ]
