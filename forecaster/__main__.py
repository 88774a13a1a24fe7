"""``python -m forecaster``: serves on FORECASTER_HOST (127.0.0.1) and SKYWATT_FORECASTER_PORT (8000)."""

import logging
import os
import sys

import ecs_logging
import uvicorn


def main() -> int:
    """Runs until SIGTERM. Gives 2 where the port is no port."""
    port = os.environ.get("SKYWATT_FORECASTER_PORT") or "8000"
    if not port.isdigit() or not 0 < int(port) < 65536:
        print(f"SKYWATT_FORECASTER_PORT: read {port!r}, expected a port: 1 to 65535", file=sys.stderr)
        return 2
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ecs_logging.StdlibFormatter(extra={"service.name": "skywatt-forecaster"}))
    logging.basicConfig(level="INFO", handlers=[handler])
    host = os.environ.get("FORECASTER_HOST") or "127.0.0.1"
    # requests run side by side: threads within each small product only get in each other's way
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    uvicorn.run("forecaster.service:app", host=host, port=int(port), log_config=None, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
