"""``stalled``: a part waits, fails or is not heard of; or readings wait in Kafka and are not read.

Whether a query of the consumer stands is told by a window of samples and not by a threshold (after Burrow): whoever had
read everything at any moment of it is well, and so is whoever is far behind and catches up. Spark's offsets move only
at the end of a batch: in a long one, the messages that the query's workers went through tell that it goes on. The query
that writes readings is filed under the topic, others under their name and the topic: ``meter_totals/energy``.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from alerts.asking import Asking
from alerts.kinds.scene import Judgement, Scene
from alerts.pipeline import Pipeline, Sample
from alerts.rules import StalledRule
from alerts.states import NO_DATA, Finding
from readings.connections import Document
from readings.parts import ALIVE_S, BESIDE, CONSUMER, INGEST, Partition, is_alive

KAFKA = "kafka"


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
    if not window or any(sample.ends is None for sample in window):
        return found | {name: NO_DATA for name in scene.active if _is_of_topic(name, rule, scene.pipeline)}
    for query in {INGEST}.union(*(sample.read for sample in samples)):
        waiting = _topics(query, window)
        if not _within_a_batch(query, window):
            found |= waiting
        elif window[0].read.get(query):
            found |= {name: NO_DATA for name in waiting if name in scene.active}
        else:  # in its first batch a query does not say how far it is
            found |= {name: NO_DATA for topic in scene.pipeline.topics if (name := _name(query, topic)) in scene.active}
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


def _name(query: str, topic: str) -> str:
    return topic if query == INGEST else f"{query}/{topic}"


def _is_of_topic(name: str, rule: StalledRule, pipeline: Pipeline) -> bool:
    """Whether it is a topic, or one as a query reads it: `production` is a topic, `producer/production` a feed."""
    query, _, topic = name.rpartition("/")
    return topic in pipeline.topics and query not in rule.parts


def _within_a_batch(query: str, window: Sequence[Sample]) -> bool:
    """Whether one batch took the whole window, and its messages are gone through."""
    first, last = window[0], window[-1]
    return first.read.get(query) == last.read.get(query) and _gone_through(query, first) < _gone_through(query, last)


def _gone_through(query: str, sample: Sample) -> int:
    return int((sample.parts.get(CONSUMER) or {}).get("gone_through", {}).get(query, 0))


def _topics(query: str, window: Sequence[Sample]) -> dict[str, Finding]:
    """By topic, what its worst partition says."""
    found: dict[str, Finding] = {}
    for partition in window[-1].ends or {}:
        name, finding = _name(query, partition[0]), _partition(query, partition, window)
        if finding and (finding.beyond or 0) >= (found[name].beyond or 0 if name in found else 0):
            found[name] = finding
    return found


def _partition(query: str, partition: Partition, window: Sequence[Sample]) -> Finding | None:
    read = [sample.read.get(query, {}) for sample in window]
    positions = [offsets[partition] for offsets in read if partition in offsets]
    if len(positions) < len(window):
        return None  # the query did not say how far it is
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
