"""Messages that could not become readings, kept whole with the reason.

Wire format of the topic ``dead-letters`` (JSON), and the documents of the index
``dead-letters-YYYY.MM`` (by month of arrival): the fields of `DeadLetter`.
"""

import base64
import hashlib
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from readings.reading import Instant

TOPIC = "dead-letters"
MAX_BYTES = 8 * 1024 * 1024
"""The largest message the topic takes: a 4 MiB message still fits when it must travel as base64."""


class DeadLetter(BaseModel):
    """A message that could not become a reading: where it was, why, and the message itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream: str | None = Field(None, description="the stream it was meant for, where that is known")
    topic: str = Field(description="the topic it was read from, or was to be sent to")
    partition: int | None = Field(None, description="none where a producer could not read its source's answer")
    offset: int | None = None
    position: int = Field(0, description="its place in the message, where the message is an array")
    source: str | None = None
    reason: str = Field(description="what was read, what was expected", max_length=2000)
    message: str = Field(description="the whole message, as text or base64")
    encoding: Literal["utf-8", "base64"] = "utf-8"
    arrived_at: Instant = Field(description="when the message arrived")

    @property
    def key(self) -> str:
        """Its ``_id``: the place it was read from, else a hash of what it says, so that each is kept once."""
        if self.partition is not None:
            return f"{self.topic}|{self.partition}|{self.offset}|{self.position}"
        digest = hashlib.sha256(f"{self.topic}|{self.source}|{self.message}".encode()).hexdigest()[:32]
        return f"{self.topic}|{digest}"

    @property
    def message_bytes(self) -> bytes:
        """The message as it was."""
        return base64.b64decode(self.message) if self.encoding == "base64" else self.message.encode()


def encode_message(message: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    """A message as a JSON-safe string and its encoding: text where that is no longer than base64 would be."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return base64.b64encode(message).decode(), "base64"
    if len(message) > 1000 and len(orjson.dumps(text)) > 1.34 * len(message):
        return base64.b64encode(message).decode(), "base64"
    return text, "utf-8"
