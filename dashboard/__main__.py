"""``python -m dashboard``: serves the dashboard on SKYWATT_DASHBOARD_PORT until it is told to end."""

import argparse
import logging
import os
import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from dashboard.assets import Assets
from dashboard.background import Background
from dashboard.downloads import ROUTES
from dashboard.store import store
from dashboard.theme import THEME
from dashboard.views import arrivals, market, meters
from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import load_settings

log = logging.getLogger("dashboard")
APP = Path(__file__).with_name("app.py")
SERVER: dict[str, Any] = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": False,
    "server.disconnectedSessionTTL": 60,
    "server.websocketPingInterval": 20,
    "browser.gatherUsageStats": False,  # nothing is told to anybody
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "none",
    "runner.magicEnabled": False,
    "runner.postScriptGC": False,  # it took 0.1 s and more after each refresh, while all readers waited
}


def main() -> int:
    """Returns when the server ends; 2 on a wrong setting."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard", description="Serves the dashboard on SKYWATT_DASHBOARD_PORT (8501)."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (127.0.0.1: this machine alone; no password)"
    )
    host = parser.parse_args().host
    try:
        settings = load_settings()
        watches: list[Background[Any]] = [arrivals.watch()]
        if store().has(*market.STREAMS):
            watches.append(market.watch())
        if store().has("meter"):
            watches.append(meters.watch())
        set_up_logs(settings, "dashboard")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    options = {**SERVER, **THEME, "server.address": host, "server.port": settings.skywatt_dashboard_port}
    for chatty in ("websockets", "uvicorn", "asyncio", "streamlit", "PIL"):
        logging.getLogger(chatty).setLevel(logging.INFO)  # theirs are a line a frame
    for watch in watches:
        watch.start()
    log.info("serving on http://%s:%s", host, settings.skywatt_dashboard_port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # raised once more by the server, when it has ended
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        # Streamlit prints before it ends; where nobody reads that any more, it would never end.
        st.App(APP, middleware=[Middleware(Assets)], routes=ROUTES).run(config=options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
