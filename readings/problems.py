"""What pydantic found wrong with a reading, in one line."""

from pydantic import ValidationError


def reason_of(error: ValueError) -> str:
    """Each problem with the field, what was read and what was expected; any other ValueError's own words."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: read {problem['input']!r:.200}: {problem['msg']}"
        for problem in error.errors(include_url=False)
    )
