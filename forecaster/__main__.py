"""``python -m forecaster``: serves on FORECASTER_HOST (127.0.0.1) and SKYWATT_FORECASTER_PORT (8000)."""

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import ecs_logging
import uvicorn

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FILE = "forecaster.log"
MAX_FILE_BYTES = 10 * 1024 * 1024


def main() -> int:
    """Runs until SIGTERM. Gives 2 on a wrong setting."""
    port = os.environ.get("SKYWATT_FORECASTER_PORT") or "8000"
    if not port.isdigit() or not 0 < int(port) < 65536:
        print(f"SKYWATT_FORECASTER_PORT: read {port!r}, expected a port: 1 to 65535", file=sys.stderr)
        return 2
    level = os.environ.get("SKYWATT_LOG_LEVEL") or "INFO"
    if level not in LOG_LEVELS:
        print(f"SKYWATT_LOG_LEVEL: read {level!r}, expected one of {', '.join(LOG_LEVELS)}", file=sys.stderr)
        return 2
    folder = os.environ.get("SKYWATT_LOGS")
    try:
        _set_up_logs(level, folder)
    except OSError as error:
        wanted = f"expected a folder in which {LOG_FILE} can be written ({error.strerror})"
        print(f"SKYWATT_LOGS: read {folder!r}, {wanted}", file=sys.stderr)
        return 2
    host = os.environ.get("FORECASTER_HOST") or "127.0.0.1"
    # requests run side by side: threads within each small product only get in each other's way
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    uvicorn.run("forecaster.service:app", host=host, port=int(port), log_config=None, access_log=False)
    return 0


def _set_up_logs(level: str, folder: str | None) -> None:
    """ECS JSON lines to standard error and, where a folder is named, to its `LOG_FILE`, as every part does.

    The folder is made where it is not there. Raises OSError where the file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if folder:
        file = Path(folder).expanduser() / LOG_FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(file, maxBytes=MAX_FILE_BYTES, backupCount=1, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(ecs_logging.StdlibFormatter(extra={"service.name": "skywatt-forecaster"}))
    logging.basicConfig(level=level, handlers=handlers)


if __name__ == "__main__":
    sys.exit(main())
