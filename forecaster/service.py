"""The HTTP interface. ``POST /predict/`` takes a place's recent temperatures and gives the next 48 hours."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from forecaster.model import forecast
from forecaster.series import TooShortError, to_hourly

HOURS = 48
MAX_BODY_BYTES = 5 * 1024 * 1024

EXAMPLE: JsonDict = {
    "latitude": 60.39,
    "longitude": 5.32,
    "data": [{"ds": "2026-11-24T11:00:00Z", "y": 4.1}, {"ds": "2026-11-24T12:00:00Z", "y": 4.6}],
}
PAGE = """<!doctype html><title>Skywatt forecaster</title><meta name="viewport" content="width=device-width">
<style>body{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}pre{background:#eef2f6;padding:1rem;
overflow:auto}</style><h1>Skywatt forecaster</h1><p>Temperatures of a place in, the next 48 hours out, each with its
80 % interval. Described for machines in <a href="/openapi.json">/openapi.json</a>; <a href="/health">/health</a>.</p>
<pre>curl -s localhost:8000/predict/ -H 'content-type: application/json' -d '
{"latitude": 60.39, "longitude": 5.32, "data": [
  {"ds": "2026-11-24T11:00:00Z", "y": 4.1}, {"ds": "2026-11-24T12:00:00Z", "y": 4.6}]}'</pre>"""
"""FastAPI's own page loads scripts from outside, which a closed network does not have."""


def _in_living_memory(when: datetime) -> datetime:
    if not 1900 <= when.year < 2200:
        raise ValueError("expected a time of the years 1900 to 2199")
    return when


class Point(BaseModel):
    """A temperature in °C at a time; a naive time is UTC, a null value is left out."""

    ds: Annotated[datetime, AfterValidator(_in_living_memory)]
    y: Annotated[float, Field(ge=-90, le=60, allow_inf_nan=False)] | None


class Body(BaseModel):
    """What is known of a place."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    data: list[Point]


class Prediction(BaseModel):
    """One hour: temperature and its 80 % interval in °C."""

    timestamp: datetime
    temperature: float
    lower: float
    upper: float


class Answer(BaseModel):
    """The next 48 whole hours after the newest point, in order."""

    predictions: list[Prediction]


app = FastAPI(title="Skywatt forecaster", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)


@app.middleware("http")
async def limit_body(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answers 413 where a body is over 5 MB, or does not say its length: before it is read."""
    said = request.headers.get("content-length", "0")
    chunked = "transfer-encoding" in request.headers
    if chunked or not said.isdigit() or int(said) > MAX_BODY_BYTES:
        detail = f"expected a body of at most {MAX_BODY_BYTES // 1024**2} MB with its content-length"
        return JSONResponse({"detail": detail}, 413)
    return await call_next(request)


@app.exception_handler(RequestValidationError)
async def refuse(_request: Request, error: RequestValidationError) -> JSONResponse:
    """422 with one sentence: where, what was expected."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return JSONResponse({"detail": f"{where}: {first['msg']}"}, 422)


@app.exception_handler(TooShortError)
async def too_short(_request: Request, error: TooShortError) -> JSONResponse:
    """422: two points are needed."""
    return JSONResponse({"detail": f"data: {error}"}, 422)


def predict(body: Body) -> Answer:
    """The next 48 hours of temperature at a place, from two points or up to 60 days of them."""
    predicted = forecast(to_hourly((point.ds, point.y) for point in body.data), HOURS)
    return Answer(
        predictions=[
            Prediction(timestamp=one.timestamp, temperature=one.value, lower=one.lower, upper=one.upper)
            for one in predicted
        ]
    )


app.post("/predict/")(predict)
for path in ("/predict/", "/predict"):  # existing clients send GET with a body, and leave the slash out
    app.get(path, include_in_schema=False, response_model=Answer)(predict)
app.post("/predict", include_in_schema=False, response_model=Answer)(predict)


@app.get("/health")
def health() -> dict[str, str]:
    """Answers while the service runs."""
    return {"status": "ok"}


@app.get("/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    """A page for people."""
    return HTMLResponse(PAGE)
