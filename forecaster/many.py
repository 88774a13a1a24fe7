"""``POST /forecast/``: a body with many series → an answer for each, without holding all of either at once."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import orjson
from pydantic import ValidationError

from forecaster.bodies import Series, problem_of
from forecaster.elements import UnreadableError, elements
from forecaster.forecasts import TOGETHER, Predicted, Wanted, forecasts, wanted
from forecaster.series import UnusableSeriesError

MOST_SERIES = 10_000


def answered(body: bytes | bytearray) -> tuple[list[bytes], list[tuple[str, str]]]:
    """The answer as JSON in pieces, and (kind, result) of each series for the metrics.

    Raises UnreadableError, TooLongError.
    """
    pieces: list[bytes] = []
    results: list[tuple[str, str]] = []
    each = map(_read, elements(body))
    while some := list(islice(each, TOGETHER)):
        results += [(str(answer["kind"]), answer.get("problem", "forecast")) for answer, _ in some]
        if len(results) > MOST_SERIES:
            raise UnreadableError(f"read more than {MOST_SERIES} series, expected at most that many")
        pieces += [b"," if pieces else b"[", _answers(some)]
    if not pieces:
        raise UnreadableError("read no series, expected a list of at least one")
    return [*pieces, b"]"], results


def _read(sent: object) -> tuple[dict[str, Any], Wanted | None]:
    """What is answered of one series, still without its predictions, and what is to be forecast: None has a problem."""
    try:
        one = Series.model_validate(sent)
        asked = wanted(
            one.kind,
            [point["ds"].timestamp() for point in one.data],
            [point["y"] for point in one.data],
            one.horizon,
            one.latitude,
            one.longitude,
        )
    except ValidationError as error:
        return _problem(sent, *problem_of(error.errors())), None
    except UnusableSeriesError as error:
        return _problem(sent, error.name, f"data: {error}"), None
    done = {"used": asked.hourly.used, "filled": asked.hourly.filled}
    return {"series": one.series, "kind": one.kind, **done}, asked


def _answers(some: Sequence[tuple[dict[str, Any], Wanted | None]]) -> bytes:
    """The answers as JSON, comma between."""
    asked = [(answer, one) for answer, one in some if one]
    for (answer, _), predicted in zip(asked, forecasts([one for _, one in asked]), strict=True):
        answer["predictions"] = [_prediction(hour) for hour in predicted]
    return orjson.dumps([answer for answer, _ in some], option=orjson.OPT_UTC_Z)[1:-1]


def _problem(sent: object, name: str, detail: str) -> dict[str, Any]:
    fields = sent if isinstance(sent, dict) else {}
    series, kind = (fields.get(field) for field in ("series", "kind"))
    return {
        "series": _printable(series),
        "kind": _printable(kind),
        "problem": name,
        "detail": _printable(detail),
    }


def _printable(text: object) -> str | None:
    """At most 200 characters that JSON can hold (half a surrogate pair cannot); null for what is no text."""
    return text[:200].encode(errors="replace").decode() if isinstance(text, str) else None


def _prediction(hour: Predicted) -> dict[str, Any]:
    return {"timestamp": hour.timestamp, "value": hour.value, "lower": hour.lower, "upper": hour.upper}
