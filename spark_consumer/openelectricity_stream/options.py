"""The options of ``openelectricity_stream``. Spark hands all of them on as strings, a Python list as its ``repr``."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

from apis.openelectricity import (
    DATA_METRICS,
    LONGEST,
    MARKET_METRICS,
    OFFSETS,
    PATIENCE,
    PRIMARY_GROUPINGS,
    SECONDARY_GROUPINGS,
    Network,
)
from apis.session import Patience

BASE_URL = "https://api.openelectricity.org.au"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Options:
    """What a stream reads, and how patiently."""

    api_key: str = field(repr=False)
    base_url: str
    network: Network
    metrics: tuple[str, ...]
    interval: str
    batch: timedelta
    """How much time a batch reads at most, and how far back a stream without progress begins."""
    progress_file: Path | None
    primary_grouping: str | None
    secondary_grouping: str | None
    patience: Patience
    wait: timedelta
    """How long a value that the API does not have is waited for."""
    poll: timedelta
    """How long after an answer without news the API is asked again."""
    log_level: str | None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Options":
        """The options as Spark gives them. Raises ValueError naming the option, what was read and what is expected."""
        known = dict(given)
        metrics = _metrics(known.pop("metrics", "power"))
        retries = _number(known, "retries", PATIENCE.attempts - 1)
        options = cls(
            api_key=_key(known),
            base_url=_url(known.pop("base_url", BASE_URL)),
            network=cast(Network, _one_of(known, "network_code", tuple(OFFSETS), "NEM")),
            metrics=metrics,
            interval=str(_one_of(known, "interval", tuple(LONGEST), "5m")),
            batch=timedelta(hours=_number(known, "batch_size_hours", 1)),
            progress_file=_progress_file(known.pop("progress_path", None)),
            primary_grouping=_one_of(known, "primary_grouping", PRIMARY_GROUPINGS, None),
            secondary_grouping=_one_of(known, "secondary_grouping", SECONDARY_GROUPINGS, None),
            patience=Patience(
                attempts=int(retries) + 1,
                connect_timeout_s=_number(known, "connect_timeout_s", PATIENCE.connect_timeout_s),
                read_timeout_s=_number(known, "read_timeout_s", PATIENCE.read_timeout_s),
                answer_timeout_s=_number(known, "answer_timeout_s", PATIENCE.answer_timeout_s),
                longest_retry_after_s=_number(known, "longest_retry_after_s", PATIENCE.longest_retry_after_s),
                largest_body_bytes=PATIENCE.largest_body_bytes,
            ),
            wait=timedelta(hours=_number(known, "wait_hours", 24)),
            poll=timedelta(seconds=_number(known, "poll_seconds", 60)),
            log_level=_one_of(known, "log_level", LOG_LEVELS, None),
        )
        if known:
            raise ValueError(f"option {', '.join(sorted(known))}: openelectricity_stream knows none of this name")
        if options.batch <= timedelta(0):
            raise ValueError("option batch_size_hours: expected more than 0")
        if options.secondary_grouping and not set(metrics) & set(DATA_METRICS):
            raise ValueError("option secondary_grouping: market metrics have none, expected a data metric too")
        return options


def _key(given: dict[str, str]) -> str:
    key = given.pop("api_key", "").strip()
    if not key:
        raise ValueError("option api_key: expected the key of OpenElectricity's API")
    return key


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or "@" in text:
        raise ValueError("option base_url: expected an address that begins with http:// or https://, without a user")
    return text.rstrip("/").removesuffix("/v4")


def _metrics(text: str) -> tuple[str, ...]:
    """From a Python list as PySpark passes it on, JSON, or names with commas between."""
    found: object = None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
            break
        except (ValueError, SyntaxError):
            continue
    names = list(found) if isinstance(found, list | tuple) else text.split(",")
    metrics = tuple(dict.fromkeys(str(name).strip() for name in names))
    expected = (*DATA_METRICS, *MARKET_METRICS)
    wrong = [name for name in metrics if name not in expected]
    if wrong or not metrics:
        raise ValueError(f"option metrics: read {text!r}, expected some of {', '.join(expected)}")
    return metrics


def _progress_file(text: str | None) -> Path | None:
    if not text:
        return None
    path = Path(text.removeprefix("file://")).expanduser()
    return path if path.suffix == ".json" else path / "progress.json"


def _one_of(given: dict[str, str], name: str, expected: tuple[str, ...], default: str | None) -> str | None:
    text = given.pop(name, default)
    if text is not None and text not in expected:
        raise ValueError(f"option {name}: read {text!r}, expected one of {', '.join(expected)}")
    return text


def _number(given: dict[str, str], name: str, default: float) -> float:
    text = given.pop(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e6:
        raise ValueError(f"option {name}: read {text!r}, expected a number from 0 on")
    return number
