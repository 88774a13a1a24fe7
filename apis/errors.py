"""What can go wrong with an outside API. No text of these holds a key, a query or a full URL.

ApiError
├── Unreachable     no whole answer came, however often it was tried: connection, time-out, reset, 5xx
├── RateLimited     429, and the API wants a longer pause than a call may wait
├── Unauthorized    401 or 403: the key is wrong, or may not do this
├── Refused         another 4xx, or a redirect: trying again does not help
├── BadAnswer       a whole answer came and is not what the API promises; it carries the body
└── OutOfCalls      the caller's limit on calls is reached; nothing was asked
"""


class ApiError(Exception):
    """A call of an outside API failed."""


class Unreachable(ApiError):
    """No whole answer came, however often it was tried."""


class RateLimited(ApiError):
    """The API wants a longer pause than a call may wait."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unauthorized(ApiError):
    """The key is wrong, or may not do this."""


class Refused(ApiError):
    """The API refuses the request as it is."""


class BadAnswer(ApiError):
    """A whole answer came that is not what the API promises."""

    def __init__(self, message: str, body: bytes) -> None:
        super().__init__(message)
        self.body = body


class OutOfCalls(ApiError):
    """The caller's limit on calls is reached."""
