"""A tariff of a user's: taken, or refused with what is wrong."""

from pathlib import Path

import pytest

from readings.errors import ConfigError
from spark_consumer.meters.tariff import DEFAULT_FILE, Calendar, load_tariff
from tests.spark_consumer.meters.plain import price


def test_the_tariff_that_is_shipped_costs_what_it_should() -> None:
    periods = load_tariff(DEFAULT_FILE).by_half_hour
    expected = [price(f"{number // 2:02}:{number % 2 * 30:02}") for number in range(48)]
    assert [period.per_kwh for period in periods] == expected


def test_a_repeated_hour_costs_the_same_twice() -> None:
    calendar = Calendar(load_tariff(DEFAULT_FILE))
    day = calendar.day_of(1_792_929_600_000)  # 2026-10-25T12:00Z
    assert len(day.prices) == 50
    assert list(day.prices[:20]) == [0.1072] * 18 + [0.1741] * 2


def test_times_without_quotation_marks_and_a_midnight_of_24_are_times(tmp_path: Path) -> None:
    path = tmp_path / "tariff.yml"
    night, day = "{name: night, from: 22:00, until: 08:00, per_kwh: 0.1}", "{from: 08:00, until: 20:30, "
    evening = "{name: evening, from: 20:30, until: 22:00, per_kwh: 0.2}"
    path.write_text(f"periods: [{night}, {day}name: day, per_kwh: 0.3}}, {evening}]")
    names = [period.name for period in load_tariff(path).by_half_hour]
    assert names == ["night"] * 16 + ["day"] * 25 + ["evening"] * 3 + ["night"] * 4
    path.write_text("periods: [{name: all, from: 00:00, until: 24:00, per_kwh: 0.1}]")
    assert {period.per_kwh for period in load_tariff(path).by_half_hour} == {0.1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("periods: [{name: a, from: '00:00', until: '12:00', per_kwh: 1}]", "12:00 has no price"),
        (
            "periods: [{name: a, from: '00:00', until: '00:00', per_kwh: 1}, {name: b, from: '03:00', until: '03:30', "
            "per_kwh: 2}]",
            "03:00 has two prices",
        ),
        ("periods: [{name: a, from: '00:15', until: '00:00', per_kwh: 1}]", "expected a full or a half hour"),
        ("{zone: Europe/Lissabon, periods: []}", "expected a time zone"),
        ("periods: [{name: a, from: '00:00', until: '00:00', per_kwh: cheap}]", "per_kwh"),
        ("periods: [", "while parsing"),
        ("[]", "expected"),
    ],
)
def test_a_wrong_tariff_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "tariff.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"METER_TARIFF_FILE: .*tariff.yml") as raised:
        load_tariff(path)
    assert expected in str(raised.value)


def test_a_missing_tariff_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_tariff(tmp_path / "none.yml")
