"""What a user can write as options, and what is said where it is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from spark_consumer.openelectricity_stream import OpenElectricityStreamDataSource
from spark_consumer.openelectricity_stream.options import Options

KEY = {"api_key": "k3y"}


@pytest.mark.parametrize(
    "text", ["['power', 'price']", '["power", "price"]', "power,price", " power , price ", "('power', 'price')"]
)
def test_metrics_are_a_python_list_json_or_commas(text: str) -> None:
    assert Options.read({**KEY, "metrics": text}).metrics == ("power", "price")


def test_without_options_it_is_the_power_of_the_nem() -> None:
    options = Options.read(KEY)
    assert (options.network, options.metrics, options.interval) == ("NEM", ("power",), "5m")
    assert (options.batch, options.progress_file, options.patience.attempts) == (timedelta(hours=1), None, 4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"api_key": ""}, "api_key"),
        ({"network_code": "NZ"}, "network_code: read 'NZ', expected one of NEM, WEM, AU"),
        ({"metrics": "powr"}, "metrics: read 'powr', expected some of power"),
        ({"metrics": "[]"}, "metrics"),
        ({"metrics": ""}, "metrics"),
        ({"interval": "5min"}, "interval: read '5min'"),
        ({"interval": "season"}, "interval"),
        ({"batch_size_hours": "0"}, "batch_size_hours"),
        ({"batch_size_hours": "an hour"}, "batch_size_hours: read 'an hour'"),
        ({"retries": "-1"}, "retries"),
        ({"primary_grouping": "region"}, "primary_grouping"),
        ({"secondary_grouping": "fuel"}, "secondary_grouping"),
        ({"secondary_grouping": "fueltech", "metrics": "price"}, "market metrics have none"),
        ({"base_url": "https://user:pass@host"}, "base_url"),
        ({"metric": "power"}, "metric"),
    ],
)
def test_a_wrong_option_is_named(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match="option") as raised:
        Options.read({**KEY, **wrong})
    assert said in str(raised.value)


def test_no_text_of_the_options_holds_the_key() -> None:
    assert "k3y" not in repr(Options.read(KEY))


def test_progress_is_kept_in_a_folder_or_in_a_file_of_ones_own() -> None:
    assert Options.read({**KEY, "progress_path": "/a/b/"}).progress_file == Path("/a/b/progress.json")
    assert Options.read({**KEY, "progress_path": "/a/nem.json"}).progress_file == Path("/a/nem.json")


def test_the_schema_is_the_documented_one() -> None:
    schema = OpenElectricityStreamDataSource(KEY).schema()
    assert [(field.name, field.dataType.simpleString()) for field in schema.fields] == [
        ("interval", "timestamp"),
        *((name, "string") for name in ("network_code", "metric", "unit")),
        *((name, "string") for name in ("fueltech_group", "network_region", "unit_code")),
        *(
            (name, "double")
            for name in (
                "power",
                "energy",
                "emissions",
                "market_value",
                "renewable_proportion",
                "storage_battery",
                "price",
                "demand",
                "demand_energy",
                "curtailment",
                "curtailment_energy",
                "curtailment_solar_utility",
                "curtailment_solar_utility_energy",
                "curtailment_wind",
                "curtailment_wind_energy",
            )
        ),
    ]
