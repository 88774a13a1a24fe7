"""What Prometheus is told: requests, how long they took, and what became of each series."""

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector, generate_latest

PATHS = ("/predict", "/forecast", "/health", "/metrics", "/openapi.json", "/docs")


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._requests = Counter(
            "requests", "Requests answered", ["path", "method", "status"], "forecaster", registry=self._registry
        )
        self._seconds = Histogram(
            "request_seconds", "Seconds until a request was answered", ["path"], "forecaster", registry=self._registry
        )
        self._series = Counter(
            "series",
            "Series asked for, by what became of them",
            ["kind", "result"],
            "forecaster",
            registry=self._registry,
        )

    def request(self, path: str, method: str, status: int, seconds: float) -> None:
        """Counts an answer; paths and methods that are not the service's are counted together."""
        path = path.rstrip("/")
        path = path if path in PATHS else "other"
        self._requests.labels(path, method if method in ("GET", "POST") else "other", status).inc()
        self._seconds.labels(path).observe(seconds)

    def series(self, kind: str, result: str) -> None:
        """Counts a series: `result` is "forecast", or the name of its problem."""
        self._series.labels(kind, result).inc()

    def text(self) -> bytes:
        """The exposition format of Prometheus, version 0.0.4."""
        return generate_latest(self._registry)
