"""What is wrong with a reading that pydantic refused, in one line, for people."""

from collections.abc import Mapping

from pydantic import ValidationError

LONGEST = 80


def reason_of(error: ValidationError, theirs: Mapping[str, str] | None = None) -> str:
    """Each problem with the field, what was read and what was expected.

    `theirs` gives a source's own names by our fields' names: a field that has one is called by both.
    """
    reasons = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"])
        if theirs and field in theirs:
            field = f"{theirs[field]} ({field})"
        match problem["type"]:
            case "missing":
                reasons.append(f"{field}: is missing")
            case "extra_forbidden":
                reasons.append(f"{field}: unknown field")
            case _:
                reasons.append(f"{field}: read {shown(problem['input'])}, expected: {problem['msg']}")
    return "; ".join(reasons)


def shown(value: object) -> str:
    """A value as it was read, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
