"""What a message shows, of alerts made by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from alerts.links import Link
from alerts.messages import Expected, Message, firing
from alerts.states import Alert, Finding, Key

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
SLACK_TAKES = 3000
"""Characters in a section's text."""


def told(kind: str, series: Sequence[str], what: str = "") -> Message:
    """Of two alerts, the first is the worse one."""
    alerts = [
        Alert(Key(kind, "weather", name), kind, "warning", "firing", START, START, Finding(START, 1, 9000 - i, what))
        for i, name in enumerate(series)
    ]
    return firing(alerts, len(alerts), None, None)


def test_thirteen_places_are_one_message_that_names_each() -> None:
    places = [f"place-{number:02d}" for number in range(13)]
    table = told("late", places).table
    assert [row.split()[0] for row in table] == ["series", *places]


@pytest.mark.parametrize("name", ["place", "<a & b>" * 6, "a meter with a name that is longer than it ought to be"])
@pytest.mark.parametrize("series", [1, 20, 21, 5000])
def test_a_table_has_room_in_a_section_and_says_how_many_are_left_out(name: str, series: int) -> None:
    message = told("threshold", [f"{number} {name}" for number in range(series)], "temperature_c was 41 °C " * 9)
    text = next(block["text"]["text"] for block in message.blocks() if "```" in block.get("text", {}).get("text", ""))
    assert len(text) <= SLACK_TAKES
    rows = text.strip("`").splitlines()[1:]
    more = int(rows.pop().split()[1].replace(",", "")) if rows[-1].startswith("and ") else 0
    assert len(rows) + more == series
    assert [int(row.split()[0]) for row in rows] == list(range(len(rows)))


def test_the_worst_comes_first() -> None:
    alerts = [
        Alert(Key("late", "weather", name), "late", "warning", "firing", START, START, Finding(START, 1, delay_s))
        for name, delay_s in (("Oslo", 60.0), ("Bergen", timedelta(hours=2).total_seconds()), ("Troms", 3600.0))
    ]
    message = firing(alerts, 3, None, None)
    assert [row.split()[0] for row in message.table[1:]] == ["Bergen", "Troms", "Oslo"]
    assert message.title.endswith("weather: Bergen and 2 more late")


def alerts(kind: str, *findings: Finding) -> list[Alert]:
    return [
        Alert(Key(kind, "weather", f"place-{number}"), kind, "warning", "firing", START, START, finding)
        for number, finding in enumerate(findings)
    ]


WEATHER = Expected(timedelta(minutes=15), timedelta(minutes=30))
EARLIER = START - timedelta(hours=1)


@pytest.mark.parametrize(
    ("kind", "findings", "expected", "facts"),
    [
        (
            "late",
            [Finding(START, 3, 2700.0), Finding(EARLIER, 1, 5400.0)],
            WEATHER,
            {
                "Since": "2026-11-24 02:00:00 UTC",
                "How late": "up to 1h 30min",
                "The worst": "place-1",
                "Allowed delay": "30min",
            },
        ),
        ("silent", [Finding(EARLIER)], WEATHER, {"Since": "2026-11-24 02:00:00 UTC", "Allowed delay": "30min"}),
        ("silent", [Finding(what="never seen")], WEATHER, {"Since": "never seen", "Allowed delay": "30min"}),
        (
            "threshold",
            [Finding(what="temperature_c 41 °C > 40 °C", beyond=1.0)],
            None,
            {"Since": "2026-11-24 03:00:00 UTC", "What": "temperature_c 41 °C > 40 °C"},
        ),
        (
            "stalled",
            [Finding(EARLIER, what="waits for kafka"), Finding(START, what="failed")],
            None,
            {"Since": "2026-11-24 02:00:00 UTC", "What": "waits for kafka", "The worst": "place-0"},
        ),
    ],
)
def test_the_facts_are_what_since_when_how_late_the_worst_and_what_is_allowed(
    kind: str, findings: Sequence[Finding], expected: Expected | None, facts: dict[str, str]
) -> None:
    message = firing(alerts(kind, *findings), len(findings), expected, None)

    assert dict(message.facts) == facts
    fields = [text["text"] for block in message.blocks() for text in block.get("fields", ())]
    assert fields == [f"*{name}*\n{text.replace('>', '&gt;')}" for name, text in facts.items()]


def test_the_link_is_shown_as_slack_has_it() -> None:
    link = Link("A & B on the dashboard", "http://127.0.0.1:8501/?stream=weather&name=A%20%26%20B")
    *_, shown, _footer = firing(alerts("silent", Finding()), 1, None, link).blocks()

    assert (
        shown["text"]["text"] == "<http://127.0.0.1:8501/?stream=weather&name=A%20%26%20B|A &amp; B on the dashboard>"
    )
