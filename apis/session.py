"""One HTTP session for every API: time-outs, reused connections, retries, ``Retry-After``, a limit on calls, no keys.

An exception of requests carries the URL with its query and so the key: none leaves this module, not even as a cause.
Redirects are not followed: they could carry the key to another host.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from apis.errors import ApiError, BadAnswer, OutOfCalls, RateLimited, Refused, Unauthorized, Unreachable
from apis.nesting import cut_where_too_deep
from apis.redaction import Redactor
from apis.retry_after import retry_after_s

TRIED_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class Patience:
    """How long and how often a call is tried."""

    attempts: int = 4
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 15.0
    """Between two pieces of an answer."""
    answer_timeout_s: float = 30.0
    """For the whole answer: a server that sends a byte now and then is not waited for."""
    first_backoff_s: float = 1.0
    longest_backoff_s: float = 30.0
    longest_retry_after_s: float = 60.0
    """A longer ``Retry-After`` is left to the caller, as `RateLimited`."""
    largest_body_bytes: int = 4 * 1024 * 1024


def _unlimited(_spare: bool) -> None:
    """No limit on calls."""


class Session:
    """A session with one API. Safe for several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        keys: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        before_call: Callable[[bool], None] = _unlimited,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`keys` are query parameters that no one may see.

        `before_call` is called before every call that goes out, with whether it can be spared (a repeated one, or one
        that its caller calls so), and raises `OutOfCalls` to forbid it. `sleep` may raise to end the waiting.
        """
        self._base_url = base_url.rstrip("/")
        self._host = urlsplit(base_url).netloc
        self._keys = dict(keys or {})
        bearer = (headers or {}).get("Authorization", "").removeprefix("Bearer ")
        self._redactor = Redactor([*self._keys.values(), bearer])
        self._patience = patience or Patience()
        self._before_call = before_call
        self._sleep = sleep
        self._now = now
        self._jitter = jitter
        self._requests = requests.Session()
        self._requests.headers.update({"Accept": "application/json", "User-Agent": "skywatt/0.1", **(headers or {})})
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=16)
        self._requests.mount("http://", adapter)
        self._requests.mount("https://", adapter)

    def close(self) -> None:
        """Closes the connections."""
        self._requests.close()

    def get_json(self, path: str, parameters: Mapping[str, Any], spare: bool = False) -> tuple[Any, bytes]:
        """The answer of a GET, parsed, and its body (without keys). Tries again what may go well the next time.

        What is nested too deeply to be written again is cut (`apis.nesting`); the body has all of it.

        Raises one of the errors of `apis.errors`, and what `before_call` or `sleep` raise.
        """
        self._before_call(spare)
        attempt = 1
        while True:
            try:
                return self._once(path, parameters)
            except _TryAgain as failure:
                error, wanted_s = failure.error, failure.retry_after_s
            if attempt >= self._patience.attempts:
                raise error
            pause_s = self._pause_s(attempt, wanted_s)
            if pause_s is None:
                raise RateLimited(str(error), wanted_s or 0)
            attempt += 1
            self._sleep(pause_s)
            try:
                self._before_call(True)
            except OutOfCalls:
                raise error from None  # the place failed; that no call was left to repeat it is no news of the API

    def _pause_s(self, attempt: int, wanted_s: float | None) -> float | None:
        """What the server wants, else full jitter: anything up to twice as long as before. None where too long."""
        if wanted_s is not None:
            return wanted_s if wanted_s <= self._patience.longest_retry_after_s else None
        longest_s = min(self._patience.longest_backoff_s, self._patience.first_backoff_s * 2 ** (attempt - 1))
        return self._jitter(0, longest_s)

    def _once(self, path: str, parameters: Mapping[str, Any]) -> tuple[Any, bytes]:
        what = f"GET {self._host}{path}"
        patience = self._patience
        problem = None
        try:
            with self._requests.get(
                self._base_url + path,
                params={**parameters, **self._keys},
                timeout=(patience.connect_timeout_s, patience.read_timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._redactor.body(self._read(response))
        except (requests.RequestException, HTTPError, _TooSlow, _TooLong) as error:
            problem = type(error).__name__.strip("_")  # its text holds the URL
        if problem is not None:
            raise _TryAgain(Unreachable(f"{what}: no whole answer: {problem}"))
        return self._judged(what, response, body)

    def _read(self, response: requests.Response) -> bytes:
        """The whole body, within the time and size a body may have."""
        began = time.monotonic()
        patience = self._patience
        body = bytearray()
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > patience.largest_body_bytes:
                raise _TooLong
            if time.monotonic() - began > patience.answer_timeout_s:
                raise _TooSlow
        return bytes(body)

    def _judged(self, what: str, response: requests.Response, body: bytes) -> tuple[Any, bytes]:
        status = response.status_code
        wanted_s = retry_after_s(response.headers.get("Retry-After"), self._now()) if status in TRIED_AGAIN else None
        said = f"{what}: {status}"
        if wanted_s is not None:
            said += f", Retry-After {wanted_s:.0f} s"
        if body and status >= 300:
            said += f": {_shown(body)}"
        if status in (401, 403):
            raise Unauthorized(said)
        if status in TRIED_AGAIN:
            limited = status == 429
            raise _TryAgain(RateLimited(said, wanted_s or 0) if limited else Unreachable(said), wanted_s)
        if status != 200:
            raise Refused(said)
        try:
            return cut_where_too_deep(orjson.loads(body)), body
        except ValueError:
            kind = response.headers.get("Content-Type", "no type")
            raise _TryAgain(BadAnswer(f"{what}: expected JSON, read {kind}: {_shown(body)}", body)) from None


class _TryAgain(Exception):
    def __init__(self, error: ApiError, wanted_s: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.retry_after_s = wanted_s


class _TooSlow(Exception):
    """An answer comes in small pieces and takes too long."""


class _TooLong(Exception):
    """An answer is larger than any that the API promises."""


def _shown(body: bytes) -> str:
    """The beginning of a body, on one line."""
    text = " ".join(body[:400].decode(errors="replace").split())
    return text if len(text) <= 160 else text[:159] + "…"
