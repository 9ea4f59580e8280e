#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A random stream of `native` events that drives the policy into its corners.

    random_stream.py --seed N --events N [--keys K] [--hostile] [--orderly] > events.ndjson
    random_stream.py --seed N --events N --coverage     how often the model ran each of its lines

A few recipients are alive at a time. Each has a clock of its own, moods that change (nothing but a full
mailbox; deliveries that come back; many sends at once; operators at work ...), and dies after some hundred
events, so that beginnings are as frequent as long histories. Two of three live through a story of tests/data
first, retold with small changes, because chance alone finds few corners. Times are ties, small steps, jumps, late by
hours to weeks, and exact distances (7, 30, 60 ... days, more or less one millisecond) from earlier events.
The same arguments (and stories) give the same stream, whatever the machine.
"""

import argparse
import json
import os
import random
import sys
from collections import Counter

import model as policy
from stories import load_stories

STORIES = tuple(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", name)
    for name in ("stories.ndjson", "own-stories.ndjson")
)

DAY = policy.DAY
HOUR = DAY // 24
BEGIN = 1_577_836_800_000  # 2020-01-01; births
LAST = BEGIN + 5 * 365 * DAY  # who has lived past this dies: a daemon would not believe times in the future
LIFE_EVENTS = 40  # of a recipient, on average
MOOD_EVENTS = 15  # of a mood, on average
REMEMBERED = 12  # earlier events of a recipient that may be copied or serve as the origin of a distance

STEPS_MS = (0, 0, 1, 1000, HOUR, HOUR, 6 * HOUR, DAY - 1, DAY, DAY, DAY + 1, 2 * DAY, 3 * DAY, 5 * DAY, 7 * DAY)
JUMPS_MS = tuple(days * DAY for days in (7, 14, 29, 30, 31, 60, 90, 180))
LATE_MS = (1, HOUR, HOUR + 1, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
DISTANCES_MS = tuple(days * DAY for days in (0, 1, 3, 7, 14, 30, 30, 30, 60, 120, 180))

TENANTS = ("a", "b", "c")
HOSTILE_TENANTS = ("a", "b", "A", "a b", "ä", "a:b", "x" * 64)
CAMPAIGNS = ("c1", "c2", "c3")
MESSAGES = ("m1", "m2", "c1")  # a message may be named as a campaign is

SOFT = ("mailbox_full", "mailbox_full", "mailbox_full", "soft_other", "unknown_permanent", "recipient_refused")
HARD = ("invalid_recipient", "inactive_mailbox", "inactive_mailbox", "moved")
EVERY_CATEGORY = tuple(policy.CLASS_OF)

# Mood: (kind, weight) ...; categories; how many of ten events belong to a send never seen before.
MOODS = {
    "full": ((("bounced", 6), ("deferred", 4), ("expired", 1), ("delivered", 1)), ("mailbox_full",), 5),
    "soft": ((("bounced", 6), ("deferred", 4), ("expired", 2), ("delivered", 1), ("late_bounce", 1)), SOFT, 5),
    "retries": ((("deferred", 8), ("expired", 5), ("bounced", 1), ("delivered", 1)), SOFT + HARD + ("policy_block",), 1),
    "crowd": ((("bounced", 9), ("deferred", 6), ("delivered", 1), ("late_bounce", 1)), SOFT + ("policy_block",), 9),
    "returns": ((("delivered", 3), ("late_bounce", 5), ("bounced", 5), ("deferred", 1)), SOFT, 3),
    "living": ((("delivered", 8), ("bounced", 3), ("deferred", 3), ("late_bounce", 1)), SOFT, 4),
    "hard": ((("bounced", 4), ("deferred", 3), ("expired", 2), ("release", 3), ("delivered", 2)), SOFT + HARD, 4),
    "operators": ((("release", 5), ("suppress", 2), ("bounced", 5), ("deferred", 2), ("delivered", 1)), SOFT + HARD, 4),
    "wishes": ((("complaint", 3), ("unsubscribe", 5), ("release", 6), ("bounced", 3), ("delivered", 2)), SOFT + HARD, 4),
    "anything": (tuple((kind, 1) for kind in policy.STEPS) + tuple((kind, 0.3) for kind in policy.SILENT), EVERY_CATEGORY, 4),
}  # fmt: skip


class Chance(random.Random):
    """The one source of chance of a stream."""

    def one_in(self, n):
        return self.random() * n < 1

    def pick(self, options):
        return options[int(self.random() * len(options))]


class Mood:
    def __init__(self, name):
        weighted, self.categories, self.new_sends_of_ten = MOODS[name]
        self.kinds = [kind for kind, _ in weighted]
        self.weights = [weight for _, weight in weighted]


ALL_MOODS = [Mood(name) for name in MOODS]


class Life:
    """One recipient from its first event to its last."""

    def __init__(self, chance, number, hostile):
        self.chance = chance
        self.recipient = f"r{number}@example.com"
        self.hostile = hostile
        self.now = BEGIN + int(chance.random() * 90 * DAY)
        self.tenants = self.choose_tenants()
        self.mood = chance.pick(ALL_MOODS)
        self.earlier = []
        self.sends = 0
        self.delivery = None
        self.deferral = None
        self.told = []

    def tell(self, story):
        """Lives through the story of one of its recipients, retold with small changes, from today on."""
        chance = self.chance
        who = policy.canonical_recipient(chance.pick(story["events"])["recipient"])
        shift = (self.now // DAY - story["events"][0]["ts_ms"] // DAY) * DAY
        tenant = chance.pick(self.tenants)
        for event in story["events"]:
            if policy.canonical_recipient(event["recipient"]) != who:
                continue
            event = {**event, "ts_ms": event["ts_ms"] + shift, "recipient": self.spelled()}
            if tenant:
                event.setdefault("tenant", tenant)
            self.retell(event)
        self.now = max((event["ts_ms"] for event in self.told), default=self.now)

    def retell(self, event):
        """Appends the event, now and then changed, left out, twice, or before its predecessor."""
        chance = self.chance
        if chance.one_in(8):
            event["ts_ms"] += chance.pick((-DAY, -HOUR, -1, -1, -1, 1, 1, 1, HOUR, DAY, 30 * DAY))
        if chance.one_in(16) and "category" in event:
            event["category"] = chance.pick(SOFT + HARD + ("policy_block", "internal", "server_busy"))
        if chance.one_in(24) and event["kind"] in policy.FAILURES:
            event["kind"] = chance.pick(policy.FAILURES)
        if chance.one_in(24):
            event.update(self.send(event["kind"]))
        if not chance.one_in(20):
            self.told.append(event)
        if chance.one_in(20):
            self.told.append(event)
        if chance.one_in(20):
            self.told[-2:] = reversed(self.told[-2:])

    def choose_tenants(self):
        if self.hostile:
            return HOSTILE_TENANTS + (None, None)
        return self.chance.pick(((None,), ("a",), ("b",), (None, "a"), TENANTS, TENANTS + (None,)))

    def next_event(self):
        if self.told:
            return self.told.pop(0)
        if self.chance.one_in(MOOD_EVENTS):
            self.mood = self.chance.pick(ALL_MOODS)
        if self.earlier and self.chance.one_in(12):
            return self.chance.pick(self.earlier)
        event = self.new_event()
        self.earlier.append(event)
        if len(self.earlier) > REMEMBERED:
            del self.earlier[0]
        return event

    def new_event(self):
        chance = self.chance
        kind = chance.choices(self.mood.kinds, self.mood.weights)[0]
        event = {"kind": kind, "origin": self.origin(kind), "ts_ms": self.time(), "recipient": self.spelled()}
        category = self.category(kind)
        if category:
            event["category"] = category
        event.update(self.send(kind))
        if kind == "delivered":
            self.delivery = event
        elif kind == "deferred":
            self.deferral = event
        return event

    def origin(self, kind):
        if kind == "expired":
            return "remote" if self.chance.one_in(3) else "local"
        return "local" if self.chance.one_in(4 if kind == "deferred" else 40) else "remote"

    def time(self):
        """Mostly on, sometimes late, often at an exact distance from an earlier event."""
        chance = self.chance
        way = chance.random()
        if way < 0.12:
            return self.now - chance.pick(LATE_MS)
        if way < 0.35 and self.earlier:
            t = chance.pick(self.earlier)["ts_ms"] + chance.pick(DISTANCES_MS) + chance.pick((-1, 0, 0, 0, 1))
        elif way < 0.38:
            t = self.now + chance.pick(JUMPS_MS)
        else:
            t = self.now + chance.pick(STEPS_MS)
        self.now = max(self.now, t)
        return t

    def category(self, kind):
        chance = self.chance
        if kind == "release":
            return chance.pick((None, None, None, "mailbox_full", "complaint", "unsubscribe"))
        if kind not in policy.FAILURES:
            return None
        if chance.one_in(12):
            return chance.pick(EVERY_CATEGORY)
        if chance.one_in(25):
            return chance.pick(HARD)
        return chance.pick(self.mood.categories)

    def send(self, kind):
        """Which send: that of the last delivery or deferral as far as it is named, a new one, or any."""
        chance = self.chance
        if kind == "late_bounce" and self.delivery and not chance.one_in(5):
            return self.part_of(self.delivery)
        if kind == "expired" and self.deferral and not chance.one_in(4):
            return named(self.deferral)
        send = {}
        tenant = chance.pick(self.tenants)
        if tenant:
            send["tenant"] = tenant
        if kind == "delivered" and chance.one_in(3):
            pass  # known by its message or its day
        elif chance.random() * 10 < self.mood.new_sends_of_ten:
            self.sends += 1
            send["campaign"] = f"n{self.sends}"
        elif not chance.one_in(4):
            send["campaign"] = chance.pick(CAMPAIGNS)
        if chance.one_in(3):
            send["message_id"] = chance.pick(MESSAGES)
        return send

    def part_of(self, event):
        """What a late bounce still names of the send, rightly or wrongly."""
        chance = self.chance
        send = {field: word for field, word in named(event).items() if not chance.one_in(4)}
        if chance.one_in(6):
            send["message_id"] = chance.pick(MESSAGES)
        if chance.one_in(6):
            send["campaign"] = chance.pick(CAMPAIGNS)
        if chance.one_in(6):
            send["tenant"] = chance.pick(TENANTS)
        return send

    def spelled(self):
        if not self.hostile:
            return self.recipient
        return self.chance.pick((self.recipient, self.recipient.upper(), f"<{self.recipient}>", f" {self.recipient} "))


def named(event):
    return {field: event[field] for field in ("tenant", "campaign", "message_id") if field in event}


def events(seed, count, keys=20, hostile=False):
    """The stream: `keys` recipients alive at a time. hostile: odd tenants and spellings of one recipient."""
    chance = Chance(seed)
    stories = [story for path in STORIES for story in load_stories(path)]
    alive = [new_life(chance, number, hostile, stories) for number in range(keys)]
    born = keys
    for _ in range(count):
        place = int(chance.random() * keys)
        if chance.one_in(LIFE_EVENTS) or alive[place].now > LAST:
            alive[place] = new_life(chance, born, hostile, stories)
            born += 1
        yield alive[place].next_event()


def new_life(chance, number, hostile, stories):
    life = Life(chance, number, hostile)
    if not chance.one_in(3):
        life.tell(chance.pick(stories))
    return life


def orderly(stream, seed):
    """Sorted by time but for less than an hour: what a sweep of the memory cannot tell from the raw order."""
    chance = Chance(seed)
    return sorted(stream, key=lambda event: event["ts_ms"] + int(chance.random() * (HOUR - 1)))


def line_counts(stream, **options):
    """How often the model ran each line of its own source."""
    counts = Counter()
    source = os.path.abspath(policy.__file__)

    def on_line(frame, what, _argument):
        if what == "line":
            counts[frame.f_lineno] += 1
        return on_line

    def on_call(frame, _what, _argument):
        return on_line if frame.f_code.co_filename == source else None

    model = policy.Model(**options)
    sys.settrace(on_call)
    for event in stream:
        model.apply(event)
    sys.settrace(None)
    return counts


def print_coverage(stream):
    counts = line_counts(stream, tenant_presets={"a": "careful", "b": "handshake"})
    with open(policy.__file__, encoding="utf-8") as file:
        lines = file.read().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("class Record"))
    for number, line in enumerate(lines[first:], first + 1):
        if line.strip():
            print(f"{counts.get(number, ''):>8}  {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=20, help="recipients alive at a time")
    parser.add_argument("--hostile", action="store_true", help="odd tenants and spellings")
    parser.add_argument("--orderly", action="store_true", help="sorted by time, but for less than an hour")
    parser.add_argument("--coverage", action="store_true", help="print the model's lines with their counts")
    arguments = parser.parse_args()
    stream = events(arguments.seed, arguments.events, arguments.keys, arguments.hostile)
    if arguments.orderly:
        stream = orderly(stream, arguments.seed)
    if arguments.coverage:
        print_coverage(stream)
        return
    for event in stream:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
