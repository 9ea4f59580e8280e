#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the topics of a suppressd that has come to rest, and says what in them is wrong.

    report = check(bootstrap, Installation(...))        report.faults: lines, none if all is well
    checker.py BOOTSTRAP TOPIC=FORMAT[:commands] ...    the same for the defaults of suppressd.yaml

Nothing of the program is used here: the layouts of its topics (layouts.py), the independent model of the
policy (tests/model), and the input itself. What is checked:

    intake      every event of the input that matters stands in the events topic once, in the partition of its
                recipient, in the order of its input partition; nothing else does
    decisions   per key complete, once, in order, as the model decides; seq grows, ids are the keys' and unique
    published   `suppressions` holds the state after each decision, of the shape of the schema; tombstones say why
    state       the changelog, folded, is the model's memory of every key
    progress    the chain of each changelog partition is unbroken and ends at the group's committed offset
    dead        what could not be taken, and only that, is in the dead letters, with its reason
"""

import argparse
import json
import sys
from collections import Counter, defaultdict, deque
from datetime import datetime, timedelta
from typing import NamedTuple

import formats
import layouts
import shape
import topics
from layouts import Place
from worlds import History, Published, fold, normal, policy, remembered

FAULTS_SHOWN_MAX = 20  # of each section
WHOLE = -1  # in place of the index of an event: the record as a whole


class Input(NamedTuple):
    format: str = "native"
    commands: bool = False


class Installation(NamedTuple):
    """What the configuration says, as far as it matters here."""

    inputs: dict  # topic -> Input
    application: str = "suppressd"
    suppressions: str = "suppressions"
    options: dict = {}  # of the model: preset, mailbox_scope, tenant_presets
    dead: dict = {}  # Place -> a part of the reason; what must be in the dead letters

    @property
    def events(self):
        return self.application + "-events"

    @property
    def changelog(self):
        return self.application + "-changelog"

    @property
    def decisions(self):
        return self.application + "-decisions"

    @property
    def dead_letters(self):
        return self.application + "-dead-letters"

    @property
    def intake_group(self):
        return self.application + "-intake"


class Report:
    def __init__(self):
        self.sections = defaultdict(list)
        self.counts = {}

    def add(self, section, lines):
        self.sections[section] += lines

    @property
    def faults(self):
        return [f"{section}: {line}" for section, lines in self.sections.items() for line in lines]

    def text(self):
        shown = []
        for section, lines in self.sections.items():
            shown += [f"{section}: {line}" for line in lines[:FAULTS_SHOWN_MAX]]
            if len(lines) > FAULTS_SHOWN_MAX:
                shown.append(f"{section}: ... and {len(lines) - FAULTS_SHOWN_MAX} lines more")
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        return "\n".join([*shown, f"checker: {counts}; {len(self.faults)} lines of faults"])


class Contents(NamedTuple):
    """All that was read."""

    inputs: list
    events: list
    changelog: list
    decisions: list
    suppressions: list
    dead_letters: list
    partitions: int  # of events: the number of shards
    publication_partitions: dict  # topic -> count
    committed: dict  # of the shards' group
    committed_intake: dict  # input topic -> partition -> offset
    unstable: list  # lines: topics with open transactions


def read_contents(bootstrap, installation, events=None):
    """`events`: the messages of the events topic if a follower has kept them (shards delete what they took)."""
    ours = (installation.changelog, installation.decisions, installation.suppressions, installation.dead_letters)
    with topics.Reader(bootstrap) as reader:
        inputs = [message for topic in installation.inputs for message in reader.read(topic)]
        if events is None:
            events = reader.read(installation.events)
        changelog, decisions, suppressions, dead_letters = map(reader.read, ours)
        publication = (installation.decisions, installation.suppressions)
        partitions = {topic: len(reader.partitions(topic)) for topic in (*publication, installation.events)}
    with topics.Reader(bootstrap, group=installation.application) as reader:
        committed = reader.committed(installation.events)
    with topics.Reader(bootstrap, group=installation.intake_group) as reader:
        committed_intake = {topic: reader.committed(topic) for topic in installation.inputs}
    unstable = [f"{topic}: open transactions in {found}" for topic in ours
                if (found := topics.open_transactions(bootstrap, topic))]  # fmt: skip
    return Contents(inputs, events, changelog, decisions, suppressions, dead_letters, partitions[installation.events],
                    partitions, committed, committed_intake, unstable)  # fmt: skip


def check(bootstrap, installation, events=None):
    return Checker(read_contents(bootstrap, installation, events), installation).run()


class Held(NamedTuple):
    """An observation as its shard holds it."""

    partition: int
    newest_before_ms: int  # the newest event of the shard when it came
    observation: layouts.Observation


class Told(NamedTuple):
    """What a shard was told of a key, in its order."""

    hash: bytes
    partition: int
    events: list  # of (place, event, newest_before_ms)


class Checker:
    def __init__(self, contents, installation):
        self.contents = contents
        self.installation = installation
        self.report = Report()
        self.model = policy.Model(**installation.options)
        # of the events topic
        self.held = []  # in the order of each shard
        self.key_texts = {}  # hash -> text, of keys that any observation names
        self.newest_ms = defaultdict(int)  # partition -> newest event
        self.newest_at = {}  # (partition, next offset) -> newest event before it
        self.next_offset = {}  # partition -> behind its last message
        self.secret_checks = set()
        # made of both
        self.said = self.read_input()
        self.told = {}  # key text -> Told
        self.sends = {}  # Send of the model -> hash
        self.published = defaultdict(list)  # key text -> Published

    def run(self):
        self.report.add("transactions", self.contents.unstable)
        self.read_events()
        self.check_hashes()
        self.match_intake()
        self.check_publications()
        self.check_state()
        self.check_unique_ids()
        self.check_progress()
        self.check_offsets()
        self.check_dead_letters()
        self.report.counts.update(
            {
                "input events": sum(len(events) for sources in self.said.values() for events in sources.values()),
                "observations": len(self.held),
                "keys": len(self.told),
                "decisions": len(self.contents.decisions),
                "dead letters": len(self.contents.dead_letters),
            }
        )
        return self.report

    # --- the input, as the model sees it

    def read_input(self):
        """Key -> (topic, partition) -> its events in order, as (place, event), without what the intake drops."""
        said = defaultdict(lambda: defaultdict(deque))
        for message in self.contents.inputs:
            for place, event in self.events_of(message):
                if not self.is_dead(place) and leaves_intake(event):
                    said[self.model.key_of(event)][place[:2]].append((place, event))
        return said

    def is_dead(self, place):
        """By itself or with its whole record."""
        return place in self.installation.dead or place._replace(index=WHOLE) in self.installation.dead

    def events_of(self, message):
        if message.value is None:
            return []
        decoded = formats.decode(message.value, self.installation.inputs[message.topic].format)
        return [(Place(message.topic, message.partition, message.offset, i), event) for i, event in decoded]

    # --- the events topic

    def read_events(self):
        for message in self.contents.events:
            if Place(message.topic, message.partition, message.offset, 0) not in self.installation.dead:
                self.take_block(message)
            self.next_offset[message.partition] = message.offset + 1
            self.newest_at[message.partition, message.offset + 1] = self.newest_ms[message.partition]

    def take_block(self, message):
        try:
            observations, secret_check = layouts.read_block(message.value or b"")
        except layouts.BadLayout as fault:
            self.report.add("events", [f"partition {message.partition} offset {message.offset}: no block: {fault}"])
            return
        self.secret_checks.add(secret_check)
        for observation in observations:
            newest_ms = self.newest_ms[message.partition]
            self.held.append(Held(message.partition, newest_ms, observation))
            self.newest_ms[message.partition] = max(newest_ms, observation.ts_ms)
            if observation.words:
                self.name_hash(observation)

    def name_hash(self, observation):
        text = observation.words.key_text(observation.scope_tenant)
        named = self.key_texts.setdefault(observation.key, text)
        if named != text:
            self.report.add("events", [f"{text} and {named} have the same hash"])

    def check_hashes(self):
        lines = [f"blocks of {len(self.secret_checks)} secrets"] if len(self.secret_checks) > 1 else []
        counts = Counter(self.key_texts.values())
        lines += [f"{text} has {count} hashes" for text, count in counts.items() if count > 1]
        for partition, _newest_ms, observation in self.held:
            owner = observation.address_hash * self.contents.partitions >> 64
            if partition != owner:
                name = self.key_texts.get(observation.key, observation.key.hex())
                lines.append(f"{name}: stands in partition {partition}, its hash says {owner}")
        self.report.add("events", lines)

    # --- intake: from the input to the events topic

    def match_intake(self):
        """Each observation takes the next event of its key from one of the input partitions."""
        left = {key: {one: deque(events) for one, events in sources.items()} for key, sources in self.said.items()}
        unnamed = defaultdict(list)
        for held in self.held:
            text = self.key_texts.get(held.observation.key)
            if text is None:
                unnamed[held.observation.key].append(held.observation.ts_ms)
            else:
                self.match(text, held, left.get(text, {}))
        self.check_unnamed(left, unnamed)
        for text, sources in sorted(left.items()):
            places = [place for events in sources.values() for place, _event in events]
            if places:
                self.report.add("intake", [f"{text}: {len(places)} events did not arrive, the first: {min(places)}"])

    def match(self, text, held, sources):
        for events in sources.values():
            if events and is_told_by(*events[0], held.observation):
                place, event = events.popleft()
                told = self.told.setdefault(text, Told(held.observation.key, held.partition, []))
                told.events.append((place, event, held.newest_before_ms))
                self.note_send(event, held.observation)
                return
        observation = held.observation
        came = f"{observation.kind} {observation.ts_ms} {observation.words and observation.words.place}"
        ahead = [f"{event['kind']} {event['ts_ms']} {place}" for place, event in next_of(sources)]
        self.report.add("intake", [f"{text}: doubled, or out of order: {came}; next in the input: {ahead}"])

    def note_send(self, event, observation):
        send = policy.read_event(event).send
        if self.sends.setdefault(send, observation.send) != observation.send:
            self.report.add("events", [f"{send} has two hashes: {event}"])

    def check_unnamed(self, left, unnamed):
        """Keys of whom nothing but deliveries was told: their hashes say nothing, so all are compared at once."""
        expected = Counter()
        for text, sources in list(left.items()):
            events = [event for queue in sources.values() for _place, event in queue]
            if text not in self.told and all(event["kind"] == "delivered" for event in events):
                expected[tuple(sorted(event["ts_ms"] for event in events))] += 1
                del left[text]
        arrived = Counter(tuple(sorted(times)) for times in unnamed.values())
        lines = [f"a key with nothing but deliveries at {list(times)} did not arrive" for times in expected - arrived]
        lines += [f"deliveries at {list(times)} are of nobody" for times in arrived - expected]
        self.report.add("intake", lines)

    # --- what is published

    def check_publications(self):
        decisions = self.by_key(self.contents.decisions)
        suppressions = self.by_key(self.contents.suppressions)
        for text in sorted(decisions.keys() | suppressions.keys()):
            self.check_pairs(text, decisions.get(text, []), suppressions.get(text, []))

    def by_key(self, messages):
        keys = defaultdict(list)
        for message in messages:
            text = (message.key or b"").decode("utf-8", "replace")
            count = self.contents.publication_partitions[message.topic]
            if message.partition != topics.murmur2_partition(message.key or b"", count):
                self.report.add(message.topic, [f"{text}: in partition {message.partition}, not where Java looks"])
            keys[text].append(message)
        return keys

    def check_unique_ids(self):
        for topic in (self.contents.decisions, self.contents.suppressions):
            counts = Counter(message.headers.get("ce_id") for message in topic)
            twice = {one: count for one, count in counts.items() if count > 1}
            lines = [f"{one} stands {count} times in a topic" for one, count in twice.items()]
            self.report.add("ids", lines)

    def check_pairs(self, text, decisions, suppressions):
        """Each decision and the state that was published with it."""
        ids = [[message.headers.get("ce_id") for message in topic] for topic in (decisions, suppressions)]
        if ids[0] != ids[1]:
            self.report.add("published", [f"{text}: ids of the decisions {ids[0]}, of the states {ids[1]}"])
        for decision, state in zip(decisions, suppressions):
            told = json.loads(decision.value)
            self.report.add("decisions", self.decision_faults(text, decision, told))
            self.report.add("suppressions", self.state_faults(text, state, told))
            published = Published(decision_fields(text, told), state.value and json.loads(state.value))
            self.published[text].append(published)

    def decision_faults(self, text, message, told):
        lines = []
        if text in self.told:
            want = f"{hash_hex(self.told[text].hash)}-{told['seq']}"
            if told["id"] != want:
                lines.append(f"{text}: id {told['id']}, not {want}")
            lines += self.origin_faults(text, told)
        return lines + header_faults(text, message, told, self.installation.application)

    def origin_faults(self, text, told):
        """The event that a decision names must be one of its key's."""
        place = told.get("evidence", {}).get("input")
        if place is None:
            return []
        place = Place(place["topic"], place["partition"], place["offset"], place["index"])
        known = any(place == one for one, _event, _newest_ms in self.told[text].events)
        return [] if known else [f"{text}: rests on {place}, which is no event of this key"]

    def state_faults(self, text, message, told):
        lines = header_faults(text, message, told, self.installation.application)
        if message.value is not None:
            value = json.loads(message.value)
            lines += [f"{text}: {line}" for line in shape.faults(value, SCHEMA)]
            lines += [f"{text}: {name} {value[name]!r}, the decision says {told[name]!r}"
                      for name in ("id", "seq", "policy") if value[name] != told[name]]  # fmt: skip
        return lines

    # --- what is decided, and what is remembered

    def check_state(self):
        changelog = self.fold_changelog()
        for text in sorted(self.told.keys() | self.published.keys()):
            told = self.told.get(text)
            if told is None:
                self.report.add("decisions", [f"{text}: decided without any event"])
                continue
            history = self.follow(text, told)
            self.report.add("decisions", [*history.faults, *history.seq_faults()])
            if not history.faults:
                self.check_memory(text, history, changelog.pop((told.partition, told.hash), None))
            else:
                changelog.pop((told.partition, told.hash), None)
        lines = [f"partition {p}: {key.hex()} is nobody's: {record}" for (p, key), record in changelog.items()]
        self.report.add("changelog", lines)

    def follow(self, text, told):
        def rules(tenant):
            return self.model.tenant_rules.get(tenant, self.model.rules)

        history = History(text, rules, self.published[text])
        for _place, event, newest_before_ms in told.events:
            history.step(event, newest_before_ms)
        history.end(self.newest_ms[told.partition])
        return history

    def check_memory(self, text, history, found):
        ways = [world.record and remembered(world.record, self.sends.get) for world in history.ends()]
        got = found and normal(found)
        if got not in ways:
            self.report.add("changelog", record_difference(text, ways[0], got))

    def fold_changelog(self):
        """(partition, key) -> record, of the last value of each key."""
        records = {}
        for message in self.contents.changelog:
            if message.key != layouts.PROGRESS_KEY:
                records[message.partition, message.key] = message.value
        return {key: self.read_record(key, value) for key, value in records.items() if value is not None}

    def read_record(self, key, value):
        try:
            return layouts.read_record(value)
        except layouts.BadLayout as fault:
            self.report.add("changelog", [f"{self.key_texts.get(key[1], key[1].hex())}: no record: {fault}"])
            return None

    # --- progress

    def check_progress(self):
        last = {}
        records = Counter()
        for message in self.contents.changelog:
            if message.key != layouts.PROGRESS_KEY:
                records[message.partition] += 1
                continue
            progress = layouts.read_progress(message.value)
            before = last.get(message.partition, layouts.Progress(0, 0, 0, 0, 0, 0))
            lines = self.progress_faults(message.partition, before, progress, records.pop(message.partition, 0))
            self.report.add("progress", [f"partition {message.partition} offset {message.offset}: {s}" for s in lines])
            last[message.partition] = progress
        lines = [f"partition {p}: {n} records behind the last progress" for p, n in records.items()]
        self.report.add("progress", lines)
        self.report.add("progress", self.ends_faults({p: progress.next_offset for p, progress in last.items()}))
        self.report.counts["transactions of shards"] = sum(progress.sequence for progress in last.values())

    def progress_faults(self, partition, before, progress, records):
        lines = []
        if progress.sequence != before.sequence + 1:
            lines.append(f"sequence {progress.sequence} after {before.sequence}")
        if progress.record_count != records:
            lines.append(f"says {progress.record_count} records, {records} stand before it")
        if progress.next_offset < before.next_offset:
            lines.append(f"next offset fell from {before.next_offset} to {progress.next_offset}")
        newest_ms = self.newest_at.get((partition, progress.next_offset))
        if newest_ms is not None and progress.newest_event_ms != newest_ms:
            lines.append(f"newest event {progress.newest_event_ms}, not {newest_ms}")
        if {progress.secret_check} != self.secret_checks:
            lines.append(f"secret {progress.secret_check}, blocks have {self.secret_checks}")
        return lines

    def ends_faults(self, progress):
        """State, committed offset and events end at one place."""
        lines = []
        for partition in sorted(progress.keys() | self.contents.committed.keys() | self.next_offset.keys()):
            at = [ends.get(partition) for ends in (progress, self.contents.committed, self.next_offset)]
            if len(set(at)) > 1:
                lines.append(f"partition {partition}: state at {at[0]}, committed {at[1]}, events end at {at[2]}")
        return lines

    def check_offsets(self):
        """The intake has read all, and says so."""
        ends = {(message.topic, message.partition): message.offset + 1 for message in self.contents.inputs}
        for (topic, partition), end in sorted(ends.items()):
            committed = self.contents.committed_intake[topic].get(partition)
            if committed != end:
                self.report.add("intake", [f"{topic} {partition}: committed {committed}, the input ends at {end}"])

    # --- dead letters

    def check_dead_letters(self):
        found = Counter()
        for message in self.contents.dead_letters:
            headers = message.headers
            place = Place(
                headers.get("suppressd-topic"),
                int(headers.get("suppressd-partition", -1)),
                int(headers.get("suppressd-offset", -1)),
                int(headers.get("suppressd-part", 0)) - 1,
            )
            found[place] += 1
            reason = self.installation.dead.get(place)
            if reason is None or reason not in headers.get("suppressd-reason", ""):
                value = (message.value or b"")[:200]
                self.report.add("dead letters", [f"{place}: {reason!r} expected, found {headers} {value!r}"])
        lines = [f"{place}: {found[place]} times, not once ({reason})"
                 for place, reason in self.installation.dead.items() if found[place] != 1]  # fmt: skip
        self.report.add("dead letters", lines)


SCHEMA = shape.load()


def leaves_intake(event):
    """Step 2 of the design, as far as it can be known without rules and records."""
    if event["kind"] not in policy.STEPS:
        return False
    local = event.get("origin") == "local"
    if event["kind"] in ("delivered", "bounced", "late_bounce"):
        return not local
    if event["kind"] == "deferred":
        return local or event["category"] not in policy.NOT_THE_RECIPIENT
    return event["kind"] != "expired" or policy.CLASS_OF[event["category"]] != "internal"


def next_of(sources):
    return [events[0] for events in sources.values() if events]


def is_told_by(place, native, observation):
    """Is the observation what the intake must make of the event?"""
    event = policy.read_event(native)
    want = (event.kind, event.local, event.t, event.tenant is not None, event.send.known_by, bool(event.message))
    got = (observation.kind, observation.local, observation.ts_ms, observation.has_tenant, observation.known_by,
           observation.names_message)  # fmt: skip
    return want == got and (observation.words is None or are_told_by(place, event, observation.words))


def are_told_by(place, event, words):
    has_category = event.kind in policy.FAILURES
    want = (place, event.recipient, event.tenant, event.category if has_category else words.category)
    return want == (words.place, words.recipient, words.tenant, words.category)


def decision_fields(text, told):
    """As a tuple of fold.DECISION_FIELDS."""
    expires_ms, ts_ms = ms_of(told["expires"]), ms_of(told["time"])
    return (told["action"], text, told["rule"], told["category"], expires_ms, told["seq"], ts_ms)


def ms_of(time):
    if time is None:
        return None
    return round((datetime.fromisoformat(time.replace("Z", "+00:00")) - fold.EPOCH) / timedelta(milliseconds=1))


def hash_hex(key):
    """As in ids: both halves as numbers."""
    return "".join(f"{int.from_bytes(half, 'little'):016x}" for half in (key[:8], key[8:]))


def header_faults(text, message, told, application):
    want = {
        "ce_specversion": "1.0",
        "ce_id": told["id"],
        "ce_type": f"io.suppressd.{told['action']}.v1",
        "ce_source": f"suppressd/{application}",
        "ce_time": told["time"],
        "suppressd-action": told["action"],
        "suppressd-rule": told["rule"],
        "suppressd-category": told["category"],
        "suppressd-seq": str(told["seq"]),
    }
    lines = [f"{text}: header {name}: {message.headers.get(name)!r}, not {value!r}"
             for name, value in want.items() if message.headers.get(name) != value]  # fmt: skip
    return lines + [f"{text}: an address in {name}" for name, value in message.headers.items() if "@" in value]


def record_difference(text, want, got):
    if want is None or got is None:
        return [f"{text}:", f"    - {want}   (expected)", f"    + {got}   (found)"]
    fields = [name for name in want._fields if getattr(want, name) != getattr(got, name)]
    return [f"{text}:", *(f"    {name}: {getattr(want, name)} expected, {getattr(got, name)} found" for name in fields)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstrap")
    parser.add_argument("inputs", nargs="+", metavar="TOPIC=FORMAT[:commands]")
    arguments = parser.parse_args()
    inputs = {}
    for one in arguments.inputs:
        topic, _, words = one.partition("=")
        name, _, commands = words.partition(":")
        inputs[topic] = Input(name, bool(commands))
    report = check(arguments.bootstrap, Installation(inputs))
    print(report.text())
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
