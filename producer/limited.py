"""``--limit``: an end after so many readings."""

import threading
from collections.abc import Sequence

from producer.errors import Enough
from producer.messages import Message
from producer.publisher import Publishes
from readings.dead_letters import TOPIC


class Limited:
    """Publishes so many readings, for one or several threads; dead letters do not count."""

    def __init__(self, publisher: Publishes, limit: int) -> None:
        self._publisher = publisher
        self._left = limit
        self._lock = threading.Lock()

    def publish(self, messages: Sequence[Message]) -> None:
        """Returns when all messages are safe; raises Enough when the last wished reading is."""
        with self._lock:
            passed = []
            for message in messages:
                is_reading = not message.topic.endswith(TOPIC)
                if is_reading and self._left == 0:
                    break
                self._left -= is_reading
                passed.append(message)
            self._publisher.publish(passed)
            if self._left == 0:
                raise Enough("as many readings as wished were sent")
