"""What the producer says of its feeds in its heartbeat."""

from typing import Any

from producer.states import States, Tally


class Told(Tally):
    """A heartbeat that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ""
        self.facts: dict[str, Any] = {}

    def waiting(self, what: str) -> None:
        self.state = f"waiting {what}"

    def failed(self, why: str) -> None:
        self.state = f"failed {why}"

    def note(self, **facts: object) -> None:
        self.facts |= facts

    @property
    def feeds(self) -> list[tuple[str, str, str]]:
        return [(one["feed"], one["state"], one["what"]) for one in self.facts["feeds"]]


def test_each_feed_tells_of_itself() -> None:
    part = Told()
    states = States(part)
    assert part.feeds == []

    states.of("weather").waiting("openweathermap")
    first = part.facts["feeds"][0]["since"]
    states.of("production").failed("elhub refuses the key")
    states.of("weather").waiting("openweathermap (429)")

    assert part.state == "failed elhub refuses the key; openweathermap (429)"
    assert part.feeds == [
        ("production", "failed", "elhub refuses the key"),
        ("weather", "waiting", "openweathermap (429)"),
    ]
    assert part.facts["feeds"][1]["since"] == first
    states.of("weather").running()
    assert [name for name, _, _ in part.feeds] == ["production"]
