"""Weather: the places on a map, a place's temperature with its forecast, and how far earlier forecasts were off."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts
from dashboard.arrivals import SeriesState
from dashboard.look import cards, empty, guarded, head_start, is_dark, one_of, refreshed, when_opened
from dashboard.map import place_map
from dashboard.queries import HOUR, conditions_of, errors_of, predictions_of, temperatures_of
from dashboard.store import store
from dashboard.tables import Column, Row, show_table
from dashboard.theme import BLUE, GREEN, ORANGE, SKY, VERMILION
from dashboard.times import reader_zone, time_html
from dashboard.views.arrivals import watch
from readings.connections import Document

EVERY_S = 15.0
BACK = {"2 days": 2, "7 days": 7, "28 days": 28}
TO_BEGIN = "`bash run.sh` replays recorded weather; live: `OPENWEATHERMAP_API_KEY`, docs/sources.md."
SIGNS = {"01": "☀️", "02": "🌤️", "03": "⛅", "04": "☁️", "09": "🌧️", "10": "🌦️", "11": "⛈️", "13": "🌨️", "50": "🌫️"}
"""Of OpenWeatherMap's icon codes (openweathermap.org/weather-conditions), without their d or n."""
WET_SIGNS = {"rain": "🌧️", "snow": "🌨️"}
"""Where a source names no icon, what falls is known all the same."""
COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def page() -> None:
    """The page."""
    st.html('<div class="sw-lead">Weather</div>')
    refreshed("The places", EVERY_S, _chosen)


def _chosen() -> None:
    known = watch().newest().of("weather")
    if not known:
        empty("No places are declared.", TO_BEGIN)
        return
    above = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = one_of("Place", {one.series: one.series for one in known}, "place")
        back = one_of("Back to", {name: name for name in BACK}, "back")
    with above:
        left, right = st.columns([8, 5])
    rows = _rows(known)
    with right:
        columns = [Column("place", "Place"), Column("temperature", "Temperature", "°C", 1), Column("at", "At")]
        show_table("places", columns, rows, reader_zone(), caption="The newest temperature of each place")
    with guarded("The place"):
        _place(place, BACK[back])
    head_start()
    with left:
        _map(rows, place)


def _rows(known: Sequence[SeriesState]) -> list[Row]:
    here = {place.name: place for place in store().streams["weather"].config.places()}
    return [
        {
            "place": one.series,
            "temperature": one.newest.value if one.newest else None,
            "at": one.newest.at if one.newest else None,
            "latitude": here[one.series].latitude if one.series in here else None,
            "longitude": here[one.series].longitude if one.series in here else None,
        }
        for one in known
    ]


def _map(rows: Sequence[Row], chosen: str) -> None:
    placed = [row for row in rows if row["latitude"] is not None]
    deck = place_map(placed, chosen, zone=reader_zone(), dark=is_dark())
    st.pydeck_chart(deck, height=340, key="places", alt="Map of the places")


@st.cache_resource(ttl=10, max_entries=30, show_spinner=False, refresh_mode="background")
def _readings(place: str, days: int) -> tuple[pd.DataFrame, Document]:
    """The temperatures, and all of the newest reading."""
    now = datetime.now(UTC)
    temperatures = temperatures_of(store(), place, now - timedelta(days=days), now + timedelta(minutes=10))
    if temperatures.empty:
        return temperatures, {}
    return temperatures, conditions_of(store(), place, temperatures["timestamp"].iloc[-1].to_pydatetime())


@st.cache_resource(ttl=20, max_entries=30, show_spinner=False, refresh_mode="background")
def _predictions(place: str, days: int) -> pd.DataFrame:
    return predictions_of(store(), place, datetime.now(UTC) - timedelta(days=days))


@st.cache_resource(ttl=60, max_entries=30, show_spinner=False, refresh_mode="background")
def _errors(place: str) -> pd.DataFrame:
    return errors_of(store(), place)


def _place(place: str, days: int) -> None:
    now = datetime.now(UTC)
    temperatures, last = _readings(place, days)
    if temperatures.empty:
        empty(f"No weather of {place} in the last {days} days.", TO_BEGIN)
        return
    _conditions(place, last)
    predictions = _predictions(place, days)
    left, right = st.columns([3, 2])
    with left:
        st.markdown("##### Temperature, and the forecast with its 80 % interval")
        rows = _temperatures(temperatures, predictions, now)
        charts.show(_temperature_chart(), rows, "temperature", f"Temperature of {place}", 340)
        if predictions.empty:
            st.caption("No forecast yet: the forecaster is asked once a place and new hour. `bash run.sh status`")
    with right:
        st.markdown("##### How far forecasts are off, by horizon")
        _horizons(place)
    ahead = predictions[predictions["timestamp"] > pd.Timestamp(now)]
    when_opened("The forecast as a table", "forecast", _forecast_table, ahead)


def _conditions(place: str, last: Document) -> None:
    zone, now = reader_zone(), datetime.now(UTC)
    word = last["description"] or last["condition"] or _wetness(last)
    sign = SIGNS.get(str(last["icon"])[:2], "") or WET_SIGNS.get(_wetness(last), "")
    sun = ""
    if last["sunrise"] and last["sunset"]:
        rise, sets = (time_html(last[name], zone, now) for name in ("sunrise", "sunset"))
        sun = f"sun {rise} to {sets}"
    wind = "" if last["wind_deg"] is None else f"from {COMPASS[round(last['wind_deg'] / 45) % 8]}"
    feels = "" if last["feels_like_c"] is None else f"feels like {last['feels_like_c']:.1f} °C"
    at = time_html(last["timestamp"], zone, now)
    cards(
        (
            f"{escape(place)}, {at}",
            f"{sign} {last['temperature_c']:.1f}",
            "°C",
            escape(", ".join(filter(None, [word, feels]))),
        ),
        ("Wind", _number(last["wind_speed_ms"], 1), "m/s", wind),
        ("Humidity", _number(last["humidity_pct"], 0), "%", ""),
        ("Pressure", _number(last["pressure_hpa"], 0), "hPa", ""),
        ("Rain and snow", _number(_fallen(last), 1), "mm/h", sun),
    )


def _temperatures(came: pd.DataFrame, predictions: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """What was measured and what was told, a row each: ``timestamp, temperature_c, lower_c, upper_c, what``."""
    told = predictions.assign(what=["forecast" if at > now else "earlier forecast" for at in predictions["timestamp"]])
    values = ["temperature_c", "lower_c", "upper_c"]
    measured = charts.broken(came.assign(what="measured"), store().streams["weather"].config.cadence, values=values[:1])
    if told.empty:
        return measured.reindex(columns=["timestamp", *values, "what"])
    told = charts.broken(told.reindex(columns=["timestamp", *values, "what"]), HOUR, ["what"], values=values)
    return pd.concat([measured, told]).sort_values("timestamp", ignore_index=True)


@charts.made_once
def _temperature_chart() -> Any:
    scale = alt.Scale(domain=list(LINES), range=[colour for colour, _ in LINES.values()])
    dash = alt.Scale(domain=list(LINES), range=[dash for _, dash in LINES.values()])
    legend = charts.legend_below()
    x, y = charts.time_axis(), alt.Y("temperature_c:Q", title="°C", scale=alt.Scale(zero=False))
    about = charts.tooltip(("what:N", "", ""), ("temperature_c:Q", "°C", ".1f"), *charts.TIMES)
    band = (
        charts.chart_of_rows()
        .transform_filter("datum.what != 'measured'")
        .mark_area(opacity=0.2, color=ORANGE)
        .encode(x=x, y=alt.Y("lower_c:Q", title="°C", scale=alt.Scale(zero=False)), y2="upper_c:Q")
    )
    line = (
        charts.chart_of_rows()
        .mark_line(strokeWidth=1.9)
        .encode(
            x=x,
            y=y,
            color=alt.Color("what:N", scale=scale, legend=legend),
            strokeDash=alt.StrokeDash("what:N", scale=dash, legend=legend),
            tooltip=about,
        )
    )
    return alt.layer(band, line).interactive(bind_y=False)


LINES: dict[str, tuple[str, list[int]]] = {
    "measured": (BLUE, [1, 0]),
    "forecast": (VERMILION, [6, 3]),
    "earlier forecast": (GREEN, [2, 2]),
}


@charts.made_once
def _horizon_chart(colour: str) -> Any:
    return (
        charts.chart_of_rows()
        .mark_line(point=True, color=colour)
        .encode(
            x=alt.X("horizon_h:Q", title="hours ahead"),
            y=alt.Y("mean_absolute_error_c:Q", title="mean absolute error, °C", scale=alt.Scale(zero=True)),
            tooltip=charts.tooltip(
                ("horizon_h:Q", "hours ahead", ""),
                ("mean_absolute_error_c:Q", "°C", ".2f"),
                ("bias_c:Q", "bias °C", ".2f"),
                ("inside_share:Q", "in the interval", ".0%"),
                ("count:Q", "forecasts", ",d"),
            ),
        )
    )


def _horizons(place: str) -> None:
    errors = _errors(place)
    if errors.empty:
        empty("No forecast of this place has come true yet.", "The first hours' errors show here within two hours.")
        return
    told = f"Mean absolute error of the forecasts of {place} by horizon"
    charts.show(_horizon_chart(SKY if is_dark() else BLUE), errors, "horizons", told, 250)
    when_opened("As a table", "errors", _horizon_table, errors)


def _horizon_table(errors: pd.DataFrame) -> None:
    rows: list[Row] = [{str(name): value for name, value in one.items()} for one in errors.to_dict("records")]
    for row in rows:
        row["inside"] = None if pd.isna(row["inside_share"]) else 100 * row["inside_share"]
    columns = [Column("horizon_h", "Ahead", "h"), Column("count", "Forecasts")]
    columns += [Column("mean_absolute_error_c", "Off", "°C", 2), Column("bias_c", "Bias", "°C", 2)]
    columns.append(Column("inside", "In the interval", "%", 0))
    show_table("horizons", columns, rows, reader_zone(), caption="Forecast errors by horizon")


def _forecast_table(ahead: pd.DataFrame) -> None:
    if ahead.empty:
        empty("No forecast of hours to come.", "`bash run.sh status` says how the forecaster is.")
        return
    rows: list[Row] = [
        {
            "at": one["timestamp"].to_pydatetime(),
            "temperature_c": one["temperature_c"],
            "lower_c": one["lower_c"],
            "upper_c": one["upper_c"],
            "issued_at": one["issued_at"].to_pydatetime(),
        }
        for one in ahead.to_dict("records")
    ]
    columns = [Column("at", "At"), Column("temperature_c", "Forecast", "°C", 1), Column("lower_c", "From", "°C", 1)]
    columns += [Column("upper_c", "To", "°C", 1), Column("issued_at", "Issued at")]
    show_table("forecast", columns, rows, reader_zone(), caption="The forecast hour by hour")


def _wetness(last: Document) -> str:
    fallen = _fallen(last)
    return "" if fallen is None else "dry" if fallen == 0 else "snow" if (last["snow_mm"] or 0) > 0 else "rain"


def _fallen(last: Document) -> float | None:
    known = [last[name] for name in ("rain_mm", "snow_mm") if last[name] is not None]
    return float(sum(known)) if known else None


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
