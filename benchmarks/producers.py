"""How many readings a second the replay brings into Kafka, beside bare loops over the same messages.

``python -m benchmarks.producers --json`` starts servers of its own, on free ports. Timed of the replay is what it does
while it plays: it puts the series in the order of their times, sets each event time into its reading's JSON, and waits
until Kafka has acknowledged. The bare loops send the same bytes, made beforehand, with kafka-python (the same
settings) and with confluent-kafka (the same acknowledgement, compression and lingering). All three alternate; medians
are printed.

Before it plays, a replay reads its whole recording, checks each reading by the model and encodes it, once: that is no
part of the comparison and is told apart, as ``file_per_s``.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import confluent_kafka
from kafka import KafkaProducer

from benchmarks.progress import say
from local_stack.spare import spare_stack
from producer.clock import WallClock
from producer.cursor import UnkeptCursor
from producer.errors import Enough
from producer.limited import Limited
from producer.messages import Message
from producer.publisher import Publisher, Publishes, producer_options
from producer.recordings import Recording
from producer.replay import ReplaySpedUp, Target, read_recordings
from producer.states import States, Tally
from readings.config import ROOT
from readings.connections import kafka_options, make_topics
from readings.settings import Settings
from readings.stream import Stream, load_streams

RECORDING = ROOT / "recordings" / "weather"
AT_ONCE = 1e12
"""A speed-up with which every reading is due when the replay begins."""


class Kept:
    """Takes messages instead of Kafka."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        """Keeps them."""
        self.messages += messages


def main() -> None:
    """Measures and prints; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.producers", description=__doc__)
    parser.add_argument("--readings", type=int, default=60_000, help="a round (default 60,000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print only the JSON line on standard output")
    options = parser.parse_args()

    with spare_stack() as servers:
        settings = servers.settings
        streams = load_streams(settings)
        make_topics(settings, streams)
        print(json.dumps(_measure(settings, streams["weather"], options.readings, options.rounds)))


def _measure(settings: Settings, stream: Stream, wanted: int, rounds: int) -> dict[str, Any]:
    start = time.perf_counter()
    recordings = read_recordings(RECORDING, stream)
    read_s = time.perf_counter() - start
    in_files = sum(len(series) for recording in recordings for series in recording.series.values())
    kept = Kept()
    _play(recordings, stream, kept, wanted)
    messages = kept.messages
    found: dict[str, list[float]] = {"replay": [], "kafka_python": [], "confluent": []}
    for number in range(-1, rounds):  # round -1 warms up
        seconds = {
            "replay": _replay(settings, recordings, stream, messages),
            "kafka_python": _kafka_python(settings, messages),
            "confluent": _confluent(settings, messages),
        }
        rates = {name: len(messages) / one for name, one in seconds.items()}
        say(f"round {number}: " + ", ".join(f"{name} {rate:,.0f}/s" for name, rate in rates.items()))
        if number >= 0:
            for name, rate in rates.items():
                found[name].append(rate)
    return {
        **{f"{name}_per_s": round(statistics.median(rates)) for name, rates in found.items()},
        "ratio": round(
            statistics.median(a / b for a, b in zip(found["replay"], found["kafka_python"], strict=True)), 3
        ),
        "file_per_s": round(in_files / read_s),
        "readings": len(messages),
        "rounds": rounds,
    }


def _play(recordings: Sequence[Recording], stream: Stream, publisher: Publishes, limit: int) -> None:
    clock = WallClock()
    limited = Limited(publisher, limit)
    target = Target(stream, limited, UnkeptCursor(), clock, States(Tally()).of(stream.name))
    with suppress(Enough):
        for _ in ReplaySpedUp(recordings, AT_ONCE).play(target):
            pass


def _replay(settings: Settings, recordings: Sequence[Recording], stream: Stream, messages: Sequence[Message]) -> float:
    clock = WallClock()
    with Publisher(settings, {stream.name: stream}, clock, States(Tally()).of("kafka")) as publisher:
        publisher.publish(messages[:1])  # connects, as the other two have
        start = time.perf_counter()
        _play(recordings, stream, publisher, len(messages))
        return time.perf_counter() - start


def _kafka_python(settings: Settings, messages: Sequence[Message]) -> float:
    producer = KafkaProducer(**kafka_options(settings), **producer_options())
    producer.partitions_for(messages[0].topic)
    start = time.perf_counter()
    for message in messages:
        producer.send(message.topic, message.value, message.key)
    producer.flush()
    seconds = time.perf_counter() - start
    producer.close()
    return seconds


def _confluent(settings: Settings, messages: Sequence[Message]) -> float:
    options = kafka_options(settings)
    ours = producer_options()
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": ",".join(options["bootstrap_servers"]),
            "security.protocol": options["security_protocol"],
            "sasl.mechanism": options["sasl_mechanism"],
            "sasl.username": options["sasl_plain_username"],
            "sasl.password": options["sasl_plain_password"],
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": ours["compression_type"],
            "linger.ms": ours["linger_ms"],
            "batch.size": ours["batch_size"],
            "queue.buffering.max.messages": len(messages),
        }
    )
    producer.list_topics(messages[0].topic, timeout=10)
    start = time.perf_counter()
    for message in messages:
        producer.produce(message.topic, message.value, message.key)
    left = producer.flush(60)
    seconds = time.perf_counter() - start
    if left:
        raise SystemExit(f"confluent-kafka: {left} messages were not acknowledged")
    return seconds


if __name__ == "__main__":
    main()
