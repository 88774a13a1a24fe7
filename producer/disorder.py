"""What a bad network does to readings on their way: it loses some, brings some twice, and some late."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from producer.dues import Due, R, put_off


@dataclass(frozen=True)
class Disorder:
    """Chances for each reading, the same ones for the same seed."""

    drop: float = 0.0
    """The share of readings that never go out, 0..1."""
    duplicate: float = 0.0
    """The share of readings that go out twice, 0..1."""
    shuffle: timedelta = timedelta()
    """Each reading goes out later than it should, by a random time up to this: so they change places."""
    seed: int = 0

    def of(self, dues: Iterable[Due[R]]) -> Iterable[Due[R]]:
        """The readings as they go out, in the order of that. Holds those of one `shuffle` at a time."""
        if not (self.drop or self.duplicate or self.shuffle):
            return dues
        chance = random.Random(self.seed)  # noqa: S311 - nothing is secret about it

        def sent_at(due: Due[R]) -> list[datetime]:
            copies = 0 if chance.random() < self.drop else 1 + (chance.random() < self.duplicate)
            return [due.at + chance.random() * self.shuffle for _ in range(copies)]

        return put_off(dues, sent_at)


ORDER = Disorder()
"""Each reading once, when it is due."""
