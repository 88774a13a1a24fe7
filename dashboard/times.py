"""Instants as a reader sees them: in the reader's own zone, with UTC for who hovers."""

from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def reader_zone() -> ZoneInfo:
    """The zone of the reader's browser; UTC where it does not say one that is known here."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def clock_text(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    """``14:05:30`` today, ``26 Nov 14:05`` within half a year, else ``2021-01-31 14:05``; in the zone."""
    local, today = instant.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    near = abs((instant - now).days) < 180
    return f"{local.day} {local:%b %H:%M}" if near else f"{local:%Y-%m-%d %H:%M}"


def utc_text(instant: datetime) -> str:
    """``2026-11-27 00:05:30 UTC``."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def time_html(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    """A ``<time>`` element: local text, UTC on hover."""
    return told_html(instant, clock_text(instant, zone, now))


def told_html(instant: datetime, text: str) -> str:
    """A ``<time>`` element with a text of its own, UTC on hover."""
    return f'<time datetime="{instant.astimezone(UTC).isoformat()}" title="{utc_text(instant)}">{escape(text)}</time>'
