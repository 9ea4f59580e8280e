# SPDX-License-Identifier: Apache-2.0
"""All ways in which the history of one key may have gone.

The decisions of a key follow from its own events, but for one thing: between any two of them the shard's
sweep may come by (design 5, time alone). How far it may go then follows from S, the newest event time that the
shard had seen. So there is a set of worlds: each event leads every world on, with and without a sweep before;
a world that decides what was not published is none. What remains at the end is what the changelog may hold.
"""

import copy
import json
import os
import sys
from typing import NamedTuple, Optional

import layouts

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "model"))

import fold  # noqa: E402
import model as policy  # noqa: E402

LAPSE_AFTER_MS = 60 * 60 * 1000
DROP_AFTER_MS = 7 * policy.DAY
SEQ = fold.DECISION_FIELDS.index("seq")


class Published(NamedTuple):
    """A decision with the state of the key that was published with it (None: a tombstone)."""

    decision: tuple  # the fields of fold.DECISION_FIELDS
    state: Optional[dict]


class Witness(policy.Record):
    """The model's record; each decision is kept with the state as it is to be published."""

    def decide(self, action, rule, category, expires_ms, time):
        super().decide(action, rule, category, expires_ms, time)
        self.decisions[-1] = Published(tuple(self.decisions[-1]), published_state(self))

    def twin(self):
        twin = copy.copy(self)
        twin.failures = list(self.failures)
        twin.decisions = []
        return twin


class World(NamedTuple):
    record: Optional[Witness]  # None: nothing is remembered
    said: int  # how many of the published decisions were made so far


def published_state(record):
    state = fold.published_state(record)
    if state and state["wish"]:
        state["wish"]["since"] = fold.iso_time(record.wish_time)
    return state


class History:
    """Follows one key. Fault lines of the first step that no world can explain are in `faults`."""

    def __init__(self, key, rules, published):
        self.key = key
        self.rules = rules
        self.published = published
        self.worlds = [World(None, 0)]
        self.faults = []
        self.newest_ms = 0

    def step(self, native, newest_ms):
        """An event that came when the newest event of the shard was newest_ms."""
        if self.faults:
            return
        event = policy.read_event(native)
        rules = self.rules(event.tenant)
        ways = []
        self.newest_ms = max(newest_ms, event.t)
        for world in self.worlds:
            for swept, lapsed in sweeps(world.record, newest_ms):
                record, decided = self._after(swept, event, rules)
                ways.append((world, record, lapsed + decided))
        self._keep(ways, json.dumps(native))

    def end(self, newest_ms):
        """All events came, and the sweep has done all that it can."""
        if not self.faults:
            self._keep([(world, *fully_swept(world.record, newest_ms)) for world in self.worlds], "the last sweep")
        if not self.faults and not self.ends():
            said = max(world.said for world in self.worlds)
            self.faults = [f"{self.key}: too many decisions, no event leads to them:"]
            self.faults += [f"    + {words(one.decision)}" for one in self.published[said:]]

    def ends(self):
        """The worlds in which all that was published was decided."""
        return [world for world in self.worlds if world.said == len(self.published)]

    def seq_faults(self):
        """Seq grows, also where the sweep dropped the record in between."""
        seqs = [one.decision[SEQ] for one in self.published]
        return [f"{self.key}: seq {seq} after {last}" for last, seq in zip(seqs, seqs[1:]) if seq <= last]

    def _after(self, record, event, rules):
        """The record after an event, and what was decided; `record` is left as it is."""
        if not policy.matters(event, rules) or (record is None and event.kind == "delivered"):
            return record, []
        record = Witness(self.key) if record is None else record.twin()
        # larger than any seq of a record that was dropped, smaller than that of a decision in time
        least = max(0, self.newest_ms - policy.M)
        has_seq = record.seq != 0
        record.seq = record.seq if has_seq else least
        record.let_time_pass(event.t)
        policy.STEPS[event.kind](record, event, rules)
        record.seq = 0 if not has_seq and record.seq == least else record.seq
        return settled(record)

    def _keep(self, ways, what):
        """ways: (world, record, decisions). Keeps those whose decisions were published."""
        kept, refuted = {}, []
        for world, record, decisions in ways:
            lines = differences(decisions, self.published[world.said :])
            if lines:
                refuted.append(lines)
            else:
                said = world.said + len(decisions)
                kept.setdefault((said, repr(record and remembered(record))), World(record, said))
        self.worlds = list(kept.values())
        if not kept:
            self.faults = [f"{self.key}: after {what}:", *min(refuted, key=len)]


def differences(decisions, published):
    """Between what was decided now and what was published next."""
    lines = []
    for i, want in enumerate(decisions):
        got = published[i] if i < len(published) else None
        if got is None:
            lines.append(f"    - {words(want.decision)}   (expected, and nothing published)")
        elif got.decision != want.decision:
            lines += [f"    - {words(want.decision)}   (expected)", f"    + {words(got.decision)}   (published)"]
        else:
            lines += fold.field_differences(want.state, got.state)
    return lines


def words(decision):
    return " ".join("-" if word is None else str(word) for word in decision)


def settled(record):
    """The record without the decisions, and the decisions. Where nothing is remembered there is no record."""
    decisions, record.decisions = record.decisions, []
    return (None if remembered(record) == EMPTY else record), decisions


def sweeps(record, newest_ms):
    """The ways in which a sweep may have left a record, with its decisions: as it was, lapsed, gone."""
    yield record, []
    if record is not None:
        swept, lapsed = released_by_time(record, newest_ms)
        if lapsed:
            yield swept, lapsed
        if is_spent(swept, newest_ms):
            yield None, lapsed


def fully_swept(record, newest_ms):
    if record is None:
        return None, []
    swept, lapsed = released_by_time(record, newest_ms)
    return (None if is_spent(swept, newest_ms) else swept), lapsed


def released_by_time(record, newest_ms):
    record = record.twin()
    record.lapse(newest_ms - LAPSE_AFTER_MS)
    decisions, record.decisions = record.decisions, []
    return record, decisions


def is_spent(record, newest_ms):
    now_ms = newest_ms - DROP_AFTER_MS
    is_over = record.mailbox is None and record.wish is None and now_ms - record.touched >= policy.M
    return is_over and record.seq <= newest_ms - policy.M


def remembered(record, send_hash=lambda send: send):
    """The model's record as the changelog holds it, failures in order of time; the source is not the model's."""
    delivery, box = record.delivery, record.mailbox
    failures = [layouts.Failure(f.time, f.final, f.category, send_hash(f.send)) for f in record.failures]
    return layouts.Record(
        failures=tuple(sorted(failures, key=str)),
        delivery=delivery
        and layouts.Delivery(
            delivery.time,
            send_hash(delivery.send),
            delivery.send.known_by,
            delivery.send.tenant is not None,
            delivery.came_back,
        ),
        floor_ms=record.floor,
        touched_ms=record.touched,
        mailbox=box and layouts.Mailbox(box.rule, box.category, box.mild, not box.mild, None, box.start, box.end),
        repeats=record.repeats,
        wish=layouts.Wish(record.wish, record.wish_time if record.wish else 0, record.wish_floor),
        seq=record.seq,
        key_text=record.key if box or record.wish else None,
    )


def normal(record):
    """A record of the changelog in the form of remembered()."""
    mailbox = record.mailbox and record.mailbox._replace(source=None)
    return record._replace(failures=tuple(sorted(record.failures, key=str)), mailbox=mailbox)


EMPTY = layouts.Record((), None, 0, 0, None, 0, layouts.Wish(None, 0, 0), 0, None)
