"""How far the forecaster is off, beside what people would install instead, on the same origins; and how fast it is.

``python -m benchmarks.forecast --json`` starts the service by itself and asks it over HTTP: temperature at New York's
airports in 2013 with 28 days of history and 48 hours ahead, an origin every 25 hours, so that each hour of the day has
its share (``--every 360 --first 72``: every 15th day at local midnight). ``--all`` adds AutoETS, AutoARIMA and Prophet
on fewer origins. Demand, production and prices are scored beside the same hour of the same weekday (of the
last day where a week is all that was recorded). statsforecast and Prophet are in the extra ``benchmarks``;
docs/forecasting.md tells more.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
from numpy.typing import NDArray

from benchmarks.forecast_origins import AHEAD, Origin, consumption, homes, market, new_york, origins, production
from benchmarks.forecast_picture import picture
from benchmarks.forecast_rivals import Rival, rivals, same_weekday, seasonal_naive
from benchmarks.progress import say
from local_stack.ports import free_ports
from readings.config import ROOT

Floats = NDArray[np.float64]
PICTURE = ROOT / "images" / "forecast_error.svg"
DAYS = 28
EVERY_H = 25
EVERY_OF = {"auto_ets": 10, "prophet": 10, "auto_arima": 160}
"""Slow rivals are scored on every so many-th origin: AutoARIMA takes up to minutes for one."""
BATCH = 1000
AT_ONCE = 200
DEADLINE_S = 60
JSON = {"content-type": "application/json"}
COMPILED_ON = 72
LEAST_DRAWN = 50
"""Origins below which the error by horizon is mostly chance."""


@dataclass(frozen=True)
class Score:
    """Errors of one forecaster."""

    errors: Floats
    """(origins, 48), absolute; NaN where nothing was recorded."""
    ms: float
    """CPU time of one fit and forecast."""

    def mae(self, first: int, last: int) -> float:
        """Over hours `first` to `last`, counted from 1."""
        return float(np.nanmean(self.errors[:, first - 1 : last]))


class Service:
    """The forecaster as a process of its own, on a free port, on one core."""

    def __init__(self, port: int, process: psutil.Process, started_s: float) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = process
        self.started_s = started_s
        self.session = requests.Session()

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)

    def peak_mb(self) -> float:
        """The most memory that was resident at once."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def predict(self, origin: Origin) -> dict[str, Any]:
        """Its answer for a place."""
        answer = self.session.post(f"{self.url}/predict/", json=body(origin), timeout=DEADLINE_S)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def forecast(self, kind: str, of: list[Origin]) -> list[dict[str, Any]]:
        """Its answer for many series."""
        sent = [{"series": origin.of.name, "kind": kind, **body(origin)} for origin in of]
        answer = self.session.post(f"{self.url}/forecast/", json=sent, timeout=DEADLINE_S)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


def main() -> None:
    """Measures and prints; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also AutoETS, AutoARIMA and Prophet, on fewer origins")
    parser.add_argument("--every", type=int, default=EVERY_H, metavar="HOURS", help="between origins (default 25)")
    parser.add_argument("--first", type=int, default=0, metavar="HOURS", help="after the first origin that can be")
    parser.add_argument(
        "--consumption", type=Path, metavar="FILE", help="a CSV of Elhub's consumption, scored as demand"
    )
    parser.add_argument("--picture", action="store_true", help=f"draw {PICTURE.relative_to(ROOT)}")
    parser.add_argument("--json", action="store_true", help="print only the JSON line on standard output")
    options = parser.parse_args()

    of = origins(new_york(), DAYS, options.every, options.first)
    with service() as asked:
        result: dict[str, Any] = {"origins": len(of), "first_answer_s": round(asked.started_s, 2)}
        result["first_answer_cpu_s"] = round(asked.cpu_s(), 2)
        ours, inside = _ours(asked, of)
        scores = {"skywatt": ours}
        for name, rival in rivals(options.all).items():
            stride = EVERY_OF.get(name, 1)
            scores[name] = _rival(name, rival, of[::stride])
            if stride > 1:
                fewer = Score(ours.errors[::stride], ours.ms)
                result[f"{name}_origins"] = len(fewer.errors)
                result[f"mae_on_{name}_origins_h1_24_c"] = round(fewer.mae(1, 24), 3)
                result[f"mae_on_{name}_origins_h25_48_c"] = round(fewer.mae(25, 48), 3)
        result |= _of_scores(scores, inside)
        result |= _of_energy(asked, options.consumption)
        result |= _of_speed(asked, of)
    if options.picture:
        drawn = {name: one.errors for name, one in scores.items() if len(one.errors) >= LEAST_DRAWN}
        PICTURE.write_text(picture({name: np.nanmean(errors, axis=0) for name, errors in drawn.items()}), "utf-8")
    for name, one in scores.items():
        print_to = sys.stderr if options.json else sys.stdout
        line = f"{name:15s} h1-24 {one.mae(1, 24):.2f} °C, h25-48 {one.mae(25, 48):.2f} °C, {one.ms:9.1f} ms a place"
        print(line, file=print_to)
    print(json.dumps(result))


@contextmanager
def service() -> Iterator[Service]:
    """Runs the forecaster; `started_s` is the time from its start to its first answer."""
    (port,) = free_ports(1)
    env = {**os.environ, "SKYWATT_FORECASTER_PORT": str(port)}
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "forecaster"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, begun + DEADLINE_S)
        yield Service(port, psutil.Process(process.pid), time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _wait(url: str, process: "subprocess.Popen[bytes]", deadline: float) -> None:
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.02)  # it is still starting
    raise RuntimeError(f"{url}: no answer from the forecaster")


def body(origin: Origin) -> dict[str, Any]:
    """What the service is sent."""
    where = {"latitude": origin.of.latitude, "longitude": origin.of.longitude}
    data = [{"ds": when.isoformat(), "y": round(value, 3)} for when, value in origin.points]
    return {**where, "horizon": AHEAD, "data": data}


def _ours(asked: Service, of: list[Origin]) -> tuple[Score, Floats]:
    """Errors, and (origins, 48) whether the outcome lay within the interval (NaN where none was recorded)."""
    before = asked.cpu_s()
    answers = [asked.predict(origin) for origin in of]
    ms = (asked.cpu_s() - before) / len(of) * 1000
    values, lower, upper = (
        np.array([[hour[field] for hour in answer["predictions"]] for answer in answers])
        for field in ("temperature", "lower", "upper")
    )
    came = np.stack([origin.came for origin in of])
    inside = np.where(np.isnan(came), np.nan, (lower <= came) & (came <= upper))
    say(f"skywatt: {len(of)} origins, {ms:.1f} ms of CPU each, with HTTP and JSON")
    return Score(np.abs(values - came), ms), inside


def _rival(name: str, rival: Rival, of: list[Origin]) -> Score:
    rival(of[0].history[-COMPILED_ON:])  # what is compiled at its first call is not measured
    begun = time.process_time()
    errors = np.stack([np.abs(rival(origin.history) - origin.came) for origin in of])
    ms = (time.process_time() - begun) / len(of) * 1000
    say(f"{name}: {len(of)} origins, {ms:.1f} ms of CPU each")
    return Score(errors, ms)


def _of_scores(scores: dict[str, Score], inside: Floats) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in scores.items():
        prefix = "mae" if name == "skywatt" else name
        found[f"{prefix}_h1_24_c"] = round(one.mae(1, 24), 3)
        found[f"{prefix}_h25_48_c"] = round(one.mae(25, 48), 3)
        found["cpu_ms_per_place" if name == "skywatt" else f"{name}_ms"] = round(one.ms, 2)
    found.setdefault("mstl_h1_24_c", None)  # statsforecast is not installed
    ours, naive = scores["skywatt"], scores["seasonal_naive"]
    found["skill_h1_24"] = round(1 - ours.mae(1, 24) / naive.mae(1, 24), 3)
    found["skill_h25_48"] = round(1 - ours.mae(25, 48) / naive.mae(25, 48), 3)
    by_lead = np.nanmean(inside, axis=0)
    found["coverage_80"] = round(float(np.nanmean(inside)), 3)
    found["coverage_80_least"], found["coverage_80_most"] = (
        round(float(by_lead.min()), 3),
        round(float(by_lead.max()), 3),
    )
    return found


def _of_energy(asked: Service, consumed: Path | None) -> dict[str, Any]:
    """Mean absolute error as a share of the naive forecast's, each series counting alike, and coverage."""
    sets = [
        ("production", "production", production(), 28, 29, same_weekday),
        ("homes", "demand", homes(), 21, 7, same_weekday),
        ("market_demand", "demand", market("demand_mw"), 4, 1, seasonal_naive),
        ("market_price", "price", market("price_per_mwh"), 4, 1, seasonal_naive),
    ]
    if consumed:
        sets.append(("consumption", "demand", consumption(consumed), 21, 7, same_weekday))
    found: dict[str, Any] = {}
    for name, kind, recorded, days, every, naive in sets:
        ratios, inside = [], []
        for one in recorded:
            of = origins([one], days, every)
            if not of or np.ptp(of[0].history) == 0:
                continue
            answers = [answer for answer in asked.forecast(kind, of) if "predictions" in answer]
            came = np.stack([origin.came for origin in of])
            if len(answers) < len(of):
                continue  # a series that did not change within its history
            values, lower, upper = (
                np.array([[hour[field] for hour in answer["predictions"]] for answer in answers])
                for field in ("value", "lower", "upper")
            )
            theirs = np.abs(np.stack([naive(origin.history) for origin in of]) - came)
            error = np.abs(values - came)
            ratios.append([np.nanmean(error[:, part]) / np.nanmean(theirs[:, part]) for part in DAYS_AHEAD])
            inside.append(np.mean((lower <= came) & (came <= upper)))
        first, second = np.mean(ratios, axis=0)
        found[f"{name}_h1_24_of_naive"], found[f"{name}_h25_48_of_naive"] = (
            round(float(first), 3),
            round(float(second), 3),
        )
        found[f"{name}_coverage_80"] = round(float(np.mean(inside)), 3)
        say(f"{name}: {len(ratios)} series, {days} days of history, {first:.2f} and {second:.2f} of {naive.__name__}")
    return found


DAYS_AHEAD = (slice(0, 24), slice(24, 48))


def _of_speed(asked: Service, of: list[Origin]) -> dict[str, Any]:
    """1,000 places in one call, then 200 calls at once."""
    many = [of[i % len(of)] for i in range(BATCH)]
    series = [{"series": str(i), "kind": "temperature", **body(origin)} for i, origin in enumerate(many)]
    batch = json.dumps(series).encode()
    before, begun = asked.cpu_s(), time.perf_counter()
    answer = requests.post(f"{asked.url}/forecast/", batch, headers=JSON, timeout=DEADLINE_S)
    took_s, cpu_s = time.perf_counter() - begun, asked.cpu_s() - before
    if sum("predictions" in one for one in answer.json()) != BATCH:
        raise RuntimeError(f"not all of {BATCH} places were forecast: {answer.text[:500]}")
    found = {"batch_1000_s": round(took_s, 2), "batch_1000_cpu_s": round(cpu_s, 2), "batch_mb": round(len(batch) / 1e6)}

    def seconds(sent: bytes) -> float:
        began = time.perf_counter()
        requests.post(f"{asked.url}/predict/", sent, headers=JSON, timeout=DEADLINE_S).raise_for_status()
        return time.perf_counter() - began

    with ThreadPoolExecutor(AT_ONCE) as threads:
        took = list(threads.map(seconds, [json.dumps(body(origin)).encode() for origin in many[:AT_ONCE]]))
    percentiles = statistics.quantiles(took, n=100)
    found["at_once_200_p50_s"], found["at_once_200_p99_s"] = round(percentiles[49], 2), round(percentiles[98], 2)
    found["peak_mb"] = round(asked.peak_mb())
    return found


if __name__ == "__main__":
    main()
