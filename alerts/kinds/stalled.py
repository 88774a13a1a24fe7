"""``stalled``: a part waits, fails or is not heard of; or readings wait in Kafka and are not read.

Whether the consumer stands is told by a window of samples and not by a threshold (after Burrow): whoever had read
everything at any moment of it is well, and so is whoever is far behind and catches up. Spark's offsets move only at the
end of a batch: in a long one, the messages that the consumer's workers went through tell that it goes on.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from alerts.asking import Asking
from alerts.kinds.scene import Judgement, Scene
from alerts.pipeline import Partition, Sample
from alerts.rules import StalledRule
from alerts.states import NO_DATA, Finding
from readings.connections import Document
from readings.parts import ALIVE_S, BESIDE, is_alive

KAFKA = "kafka"
CONSUMER = "consumer"


def judge(rule: StalledRule, scene: Scene) -> Asking[Judgement]:
    """By part, ``kafka`` and topic. Asks nothing of Elasticsearch, so that it can tell that this is down."""
    samples = scene.pipeline.samples
    window = scene.pipeline.window(rule.window, scene.now)
    if not samples or scene.now - samples[-1].at > timedelta(seconds=ALIVE_S):
        return dict.fromkeys(scene.active, NO_DATA)
    found: Judgement = {}
    for part in rule.parts:
        for name, finding in _part(part, samples[-1].parts.get(part), samples[-1].at):
            found[name] = finding
    if away := _kafka_away(samples):
        found[KAFKA] = away
    topics = {topic for sample in samples for topic, _ in sample.ends or {}}
    if window and all(sample.ends is not None for sample in window) and not _within_a_batch(window):
        found |= _topics(window)
    else:
        found |= {topic: NO_DATA for topic in topics & scene.active}
    return found
    yield []  # a judge is a generator, also one that asks nothing


def _part(name: str, told: Document | None, now: datetime) -> Iterator[tuple[str, Finding]]:
    """What is wrong with a part by its heartbeat, each of its feeds apart where it tells them apart.

    What a feed waits for beside its readings is nothing wrong; what a part without feeds does is filed under its name.
    """
    if told is None:
        yield name, Finding(what="never heard of")
        return
    if not is_alive(told, now):
        yield name, Finding(told["at"], what="not heard of any more")
        return
    if feeds := told.get("feeds"):
        yield from _feeds(name, feeds)
        return
    if told["state"] == "failed":
        yield name, Finding(told["since"], what=f"failed: {told['waiting_for']}")
    if told["state"] == "waiting":
        for what in str(told["waiting_for"]).split(", "):
            if BESIDE in what:
                beside = what.partition(BESIDE)[0].strip()
                yield beside, Finding(told["since"], what=f"{name} waits for it, readings go on")
            else:
                yield name, Finding(told["since"], what=f"waits for {told['waiting_for']}")


def _feeds(name: str, feeds: Iterable[Document]) -> Iterator[tuple[str, Finding]]:
    for feed in feeds:
        if BESIDE not in feed["what"]:
            verb = "failed:" if feed["state"] == "failed" else "waits for"
            yield f"{name}/{feed['feed']}", Finding(feed["since"], what=f"{verb} {feed['what']}")


def _kafka_away(samples: Sequence[Sample]) -> Finding | None:
    """Kafka did not answer twice in a row."""
    silent = []
    for sample in reversed(samples):
        if sample.ends is not None:
            break
        silent.append(sample.at)
    return Finding(silent[-1], what="does not answer") if len(silent) > 1 else None


def _within_a_batch(window: Sequence[Sample]) -> bool:
    """Whether one batch took the whole window, and its messages are gone through."""
    first, last = window[0], window[-1]
    return first.read == last.read and _processed(first) < _processed(last)


def _processed(sample: Sample) -> int:
    return int((sample.parts.get(CONSUMER) or {}).get("processed", 0))


def _topics(window: Sequence[Sample]) -> dict[str, Finding]:
    """By topic, what its worst partition says."""
    found: dict[str, Finding] = {}
    for partition in window[-1].ends or {}:
        finding = _partition(partition, window)
        if finding and (finding.beyond or 0) >= (found[partition[0]].beyond or 0 if partition[0] in found else 0):
            found[partition[0]] = finding
    return found


def _partition(partition: Partition, window: Sequence[Sample]) -> Finding | None:
    positions = [sample.read[partition] for sample in window if partition in sample.read]
    if len(positions) < len(window):
        return None  # the consumer never said how far it is
    lags = [max((sample.ends or {}).get(partition, 0) - at, 0) for sample, at in zip(window, positions, strict=True)]
    if not all(lags):
        return None  # it had read everything
    waiting = f"{lags[-1]:,} messages wait"
    if positions[0] == positions[-1]:
        return Finding(window[0].at, lags[-1], what=f"{waiting}, none is read", beyond=float(lags[-1]))
    grows = all(later >= earlier for earlier, later in itertools.pairwise(lags))
    if grows and lags[-1] > lags[0]:
        return Finding(window[0].at, lags[-1], what=f"{waiting}, and more and more", beyond=float(lags[-1]))
    return None
