"""JSON that is nested so deeply that it can be read but not written again.

orjson reads 1,024 levels and writes 254; Python shows about as many as its stack has left. No API that Skywatt asks
sends more than ten.
"""

from typing import Any

import orjson

KEPT_LEVELS = 32
TOO_DEEP = "lists or objects nested too deeply"


def is_too_deep(value: Any) -> bool:
    """Whether what orjson has read cannot be written again."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def cut_where_too_deep(value: Any) -> Any:
    """What orjson has read; where that is too deep, with a text in the place of all below `KEPT_LEVELS`.

    What holds the text is no number, time or name, so that it is refused, and all beside it can be read.
    """
    return _cut(value, KEPT_LEVELS) if is_too_deep(value) else value


def _cut(value: Any, levels: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return TOO_DEEP
    if isinstance(value, dict):
        return {name: _cut(one, levels - 1) for name, one in value.items()}
    return [_cut(one, levels - 1) for one in value]
