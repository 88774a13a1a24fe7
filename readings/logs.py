"""Structured logs: one event a line, ECS field names (Elastic Common Schema), secrets taken out.

A line's own fields go into ``extra``: ``log.info("sent", extra={"stream": "weather", "series": "Bergen"})``.
"""

import json
import logging
import sys
from collections.abc import Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import quote, quote_plus

import ecs_logging
from pydantic import SecretStr

from readings.errors import ConfigError
from readings.settings import Settings

REDACTED = "[redacted]"
MAX_FILE_BYTES = 10 * 1024 * 1024


def set_up_logs(settings: Settings, part: str) -> None:
    """Sends this process's logs to standard error as ECS JSON lines that name the part and hold no secret.

    Where SKYWATT_LOGS is set they go to ``<part>.log`` in that folder as well, which is made where it is not there.
    Raises ConfigError where the file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if settings.skywatt_logs:
        handlers.append(_file(settings.skywatt_logs, f"{part}.log"))
    for handler in handlers:
        handler.setFormatter(_Formatter(settings, part))
    logging.basicConfig(level=settings.skywatt_log_level, handlers=handlers, force=True)
    for chatty in ("kafka", "pymongo", "urllib3", "httpx"):
        _quieten(chatty, logging.WARNING)
    _quieten("kafka.net.selector", logging.ERROR)  # it warns of a tenth of a second on a busy machine
    _quieten("elastic_transport", logging.ERROR)  # it says each retry; we say when we wait
    if not settings.kafka_bootstrap_servers:  # it warns of passwords in the clear, which never leave this machine
        _quieten("kafka.net.sasl", logging.ERROR)
    _quieten("py4j", logging.CRITICAL)  # the error it logs is raised to us as well


def secrets_of(settings: Settings) -> list[str]:
    """Every secret value that is set, longest first, so that one within another is taken out whole."""
    values = [getattr(settings, name) for name in Settings.model_fields]
    texts = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
    return sorted((text for text in texts if len(text) >= 4), key=len, reverse=True)


def _quieten(library: str, level: int) -> None:
    """Leaves out a library's lines below a level; what was left out of them before, by a room of ours, stays out."""
    logger = logging.getLogger(library)
    of_all = logger.parent.getEffectiveLevel() if logger.parent else logging.NOTSET
    logger.setLevel(max(level, logger.level, of_all))


def _file(folder: Path, name: str) -> logging.Handler:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return RotatingFileHandler(folder / name, maxBytes=MAX_FILE_BYTES, backupCount=1, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"SKYWATT_LOGS: read '{folder}', expected a folder in which {name} can be written ({error.strerror})"
        ) from error


class _Formatter(ecs_logging.StdlibFormatter):
    def __init__(self, settings: Settings, part: str) -> None:
        super().__init__(
            extra={"service.name": f"skywatt-{part}"},
            exclude_fields=[
                "log.original",
                "process.thread",
                "log.origin",
                "process.name",
            ],
        )
        self._spellings = _spellings(secrets_of(settings))

    def format(self, record: logging.LogRecord) -> str:
        line: str = super().format(record)
        for spelling in self._spellings:
            line = line.replace(spelling, REDACTED)
        return line


def _spellings(secrets: Iterable[str]) -> list[str]:
    """How secrets may stand in a line: plain, within JSON, in a URL. The longest first."""
    spelt = {
        spelling
        for one in secrets
        for spelling in (
            one,
            json.dumps(one)[1:-1],
            json.dumps(one, ensure_ascii=False)[1:-1],
            quote(one, ""),
            quote_plus(one),
        )
    }
    return sorted(spelt, key=len, reverse=True)
