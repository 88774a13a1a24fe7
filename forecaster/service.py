"""The HTTP interface: ``/predict/`` for a place's temperature, ``/forecast/`` for many series of any kind."""

import asyncio
import time
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from forecaster.bodies import (
    MANY,
    MANY_ANSWERED,
    Answer,
    Body,
    Prediction,
    Series,
    SeriesForecast,
    SeriesProblem,
    problem_of,
)
from forecaster.elements import TooLongError, UnreadableError
from forecaster.forecasts import Kind, forecasts, wanted
from forecaster.limits import refusal
from forecaster.many import answered
from forecaster.metrics import Metrics
from forecaster.page import PAGE
from forecaster.series import UnusableSeriesError
from forecaster.temperature import fits

SLOW_OR_REFUSED: dict[int | str, dict[str, Any]] = {
    408: {"description": "The body did not arrive in time"},
    413: {"description": "The body is too long, or does not tell its length"},
    422: {"description": "One sentence in `detail`: where, what was read, what was expected"},
}
metrics = Metrics()
one_call = asyncio.Semaphore(1)
"""Calls of ``/forecast/`` take turns, so that memory is that of one; a body is read when its turn has come."""
one_large = asyncio.Semaphore(1)
"""Likewise those calls of ``/predict/`` whose body is large: of 5 MB it takes 100 MB and seconds to be read."""
LARGE = 256 * 1024
BODY_S = 60
"""A call that is slower to send its body loses its turn."""
NO_OBJECT = "the body: expected a JSON object, sent as content-type: application/json"


@asynccontextmanager
async def _ready(_app: FastAPI) -> AsyncIterator[None]:
    fits()  # read once, before the first request
    yield


app = FastAPI(
    title="Skywatt forecaster",
    version="2",
    docs_url=None,
    redoc_url=None,
    redirect_slashes=False,
    lifespan=_ready,
)


@app.middleware("http")
async def limit_and_count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answers 413 where a body is too long, or does not say its length, before it is read; counts every answer."""
    begun = time.perf_counter()
    path = request.url.path
    detail = refusal(path, request.headers)
    response = JSONResponse({"detail": detail}, 413) if detail else await call_next(request)
    metrics.request(path, request.method, response.status_code, time.perf_counter() - begun)
    return response


@app.exception_handler(UnusableSeriesError)
async def unusable(_request: Request, error: UnusableSeriesError) -> JSONResponse:
    """422: nothing can be forecast from this."""
    metrics.series(Kind.TEMPERATURE, error.name)
    return JSONResponse({"detail": f"data: {error}"}, 422)


@app.exception_handler(ClientDisconnect)
async def hung_up(_request: Request, _error: ClientDisconnect) -> JSONResponse:
    """Nobody reads this: the client ended while it sent its body."""
    return JSONResponse({"detail": "the body ended early"}, 400)


async def predict(request: Request) -> Answer:
    """The next hours of temperature at a place, from two points or up to 60 days of them."""
    if not _is_json(request.headers.get("content-type")):
        raise _refused("invalid", NO_OBJECT)
    large = int(request.headers.get("content-length", 0)) > LARGE
    async with one_large if large else nullcontext():
        return await run_in_threadpool(_predicted, await _body(request))


def _is_json(content_type: str | None) -> bool:
    """Whether a body's type is JSON's, or nothing is said of it."""
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _predicted(sent: bytearray) -> Answer:
    """Raises HTTPException (422), UnusableSeriesError."""
    try:
        read = orjson.loads(sent.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise _refused("invalid", f"the body: expected JSON in UTF-8: {error}") from None
    if not isinstance(read, dict):
        raise _refused("invalid", NO_OBJECT)
    try:
        body = Body.model_validate(read)
    except ValidationError as error:
        raise _refused(*problem_of(error.errors())) from None
    times = [point["ds"].timestamp() for point in body.data]
    values = [point["y"] for point in body.data]
    one = wanted(Kind.TEMPERATURE, times, values, body.horizon, body.latitude, body.longitude)
    hours = forecasts([one])[0]
    metrics.series(Kind.TEMPERATURE, "forecast")
    return Answer(
        used=one.hourly.used,
        filled=one.hourly.filled,
        predictions=[
            Prediction(timestamp=hour.timestamp, temperature=hour.value, lower=hour.lower, upper=hour.upper)
            for hour in hours
        ],
    )


def _refused(name: str, sentence: str) -> HTTPException:
    metrics.series(Kind.TEMPERATURE, name)
    return HTTPException(422, sentence)


app.post("/predict/", responses=SLOW_OR_REFUSED)(predict)
for path in ("/predict/", "/predict"):  # existing clients send GET with a body, and leave the slash out
    app.get(path, include_in_schema=False, response_model=Answer)(predict)
app.post("/predict", include_in_schema=False, response_model=Answer)(predict)


async def forecast(request: Request) -> Response:
    """The forecast of each of many series, or why it has none, in the order sent; 5 MB a series, 64 MB a call."""
    try:
        async with one_call:
            body = await _body(request)
            pieces, results = await run_in_threadpool(answered, body)
    except TooLongError as error:
        return JSONResponse({"detail": str(error)}, 413)
    except UnreadableError as error:
        return JSONResponse({"detail": str(error)}, 422)
    for kind, result in results:
        metrics.series(kind if kind in list(Kind) else "other", result)
    length = {"content-length": str(sum(map(len, pieces)))}
    return StreamingResponse(_given_away(pieces), headers=length, media_type="application/json")


async def _body(request: Request) -> bytearray:
    """Raises HTTPException (408)."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
    except TimeoutError:
        raise HTTPException(408, f"expected the whole body within {BODY_S} s") from None
    return body


async def _given_away(pieces: list[bytes]) -> AsyncIterator[bytes]:
    """Each piece, kept no longer than until it is sent."""
    pieces.reverse()
    while pieces:
        yield pieces.pop()


app.post("/forecast/", response_model=list[SeriesForecast | SeriesProblem], responses=SLOW_OR_REFUSED)(forecast)
app.post("/forecast", include_in_schema=False)(forecast)


@app.get("/health")
def health() -> dict[str, str]:
    """Answers while the service runs."""
    return {"status": "ok"}


@app.get("/metrics", response_class=Response)
def metrics_text() -> Response:
    """For Prometheus."""
    return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@app.get("/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    """A page for people."""
    return HTMLResponse(PAGE)


def described() -> dict[str, Any]:
    """The OpenAPI description; the bodies, which are not FastAPI's to read, are added by hand."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas = found["components"]["schemas"]
        _add(schemas, Body)
        _add(schemas, Series)
        one = {"schema": {"$ref": "#/components/schemas/Body"}}
        found["paths"]["/predict/"]["post"]["requestBody"] = {"required": True, "content": {"application/json": one}}
        sent = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Series"}}
        many = {"schema": sent, "example": MANY}
        asked = found["paths"]["/forecast/"]["post"]
        asked["requestBody"] = {"required": True, "content": {"application/json": many}}
        asked["responses"]["200"]["content"]["application/json"]["example"] = MANY_ANSWERED
        app.openapi_schema = found
    return app.openapi_schema


def _add(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**schema.pop("$defs"), model.__name__: schema}


app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend the description
