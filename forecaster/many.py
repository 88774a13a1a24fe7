"""``POST /forecast/``: a body with many series → an answer for each, without holding all their readings at once."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import ValidationError

from forecaster.bodies import Series, problem_of
from forecaster.forecasts import Predicted, Wanted, forecasts, wanted
from forecaster.limits import MAX_BODY_BYTES
from forecaster.series import UnusableSeriesError

MOST_SERIES = 10_000
WHITE = " \t\n\r"


class UnreadableError(ValueError):
    """The body is not a list of series."""


class TooLongError(ValueError):
    """One series of the body is too long by itself, or what is too long is no list of series."""


def answered(body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """The answer as JSON, and (kind, result) of each series for the metrics. Raises UnreadableError, TooLongError."""
    answers: list[dict[str, Any]] = []
    asked: list[tuple[int, Wanted]] = []
    for sent in _elements(body):
        try:
            one = Series.model_validate(sent)
            hourly = wanted(
                one.kind,
                [point.ds.timestamp() for point in one.data],
                [point.y for point in one.data],
                one.horizon,
                one.latitude,
                one.longitude,
            )
        except ValidationError as error:
            answers.append(_problem(sent, *problem_of(error.errors())))
        except UnusableSeriesError as error:
            answers.append(_problem(sent, error.name, f"data: {error}"))
        else:
            done = {"used": hourly.hourly.used, "filled": hourly.hourly.filled}
            asked.append((len(answers), hourly))
            answers.append({"series": one.series, "kind": one.kind, **done})
        if len(answers) > MOST_SERIES:
            raise UnreadableError(f"read more than {MOST_SERIES} series, expected at most that many")
    if not answers:
        raise UnreadableError("read no series, expected a list of at least one")
    for (i, _), predicted in zip(asked, forecasts([one for _, one in asked]), strict=True):
        answers[i]["predictions"] = [_prediction(hour) for hour in predicted]
    results = [(str(one["kind"]), one.get("problem", "forecast")) for one in answers]
    return orjson.dumps(answers, option=orjson.OPT_UTC_Z), results


def _elements(body: bytes) -> Iterator[object]:
    """The elements of a JSON array, one at a time. Raises UnreadableError, TooLongError."""
    try:
        text = body.decode()
        decode = json.JSONDecoder().raw_decode
        at = _after(text, 0, "[")
        if text[_skipped(text, at)] == "]":
            at = _skipped(text, at)
        else:
            while True:
                start = _skipped(text, at)
                element, at = decode(text, start)
                if at - start > MAX_BODY_BYTES:
                    raise TooLongError(f"read a series of {at - start} characters, expected at most {MAX_BODY_BYTES}")
                yield element
                at = _skipped(text, at)
                if text[at] != ",":
                    break
                at += 1
        if text[_after(text, at, "]") :].strip(WHITE):
            raise UnreadableError("read more after the list, expected one JSON list of series")
    except (ValueError, IndexError, RecursionError) as error:
        if isinstance(error, TooLongError):
            raise
        if len(body) > MAX_BODY_BYTES:
            raise TooLongError(f"read {len(body)} bytes that are no JSON list of series") from error
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"expected a JSON list of series: {type(error).__name__}") from error


def _skipped(text: str, at: int) -> int:
    while text[at] in WHITE:
        at += 1
    return at


def _after(text: str, at: int, mark: str) -> int:
    at = _skipped(text, at)
    if text[at] != mark:
        raise UnreadableError(f"read {text[at]!r} at {at}, expected {mark!r} of a JSON list of series")
    return at + 1


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
