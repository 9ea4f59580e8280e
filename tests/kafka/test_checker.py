#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The checker finds what is wrong in topics that these tests fill themselves, and nothing in sound ones. No broker."""

import json
import struct
import sys
import unittest

import formats
import layouts
from checker import Checker, Contents, Input, Installation, fold, hash_hex, policy
from topics import Message, murmur2_partition
from worlds import Witness

T = 1_728_000_000_000
DAY = policy.DAY
SHARDS = 4
SECRET_CHECK = 77
INPUT = "mail.events"
INSTALLATION = Installation({INPUT: Input("native", True)})


def event(kind, days, recipient="r@example.com", **fields):
    return {"kind": kind, "ts_ms": T + days * DAY, "recipient": recipient, **fields}


FULL_THRICE = [event("bounced", days, category="mailbox_full", campaign=f"c{days}") for days in (0, 1, 2)]


def key_hash(text):
    """Any that chooses a shard by the recipient alone."""
    recipient = text.rpartition(":")[2]
    return bytes((sum(recipient.encode()) * 37 % 256,)) * 8 + text.encode().rjust(8, b".")[-8:]


# --- writing what suppressd writes, as the layouts say


def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def string(text):
    data = (text or "").encode()
    return varint(len(data)) + data


def block(observations):
    return b"SUPB" + struct.pack("<BBQI", 1, 0, SECRET_CHECK, len(observations)) + b"".join(observations)


def observation(place, native, key, send):
    said = policy.read_event(native)
    known_by = layouts.KNOWN_BY.index(said.send.known_by)
    has_words = said.kind != "delivered"
    flags = said.local | (":" in key) << 1 | (said.tenant is not None) << 2 | bool(said.message) << 3
    flags |= has_words << 4 | known_by << 5
    data = bytes([layouts.KINDS.index(said.kind), flags]) + said.t.to_bytes(6, "little")
    data += key_hash(key) + send.to_bytes(5, "little")
    if has_words:
        data += bytes([layouts.CATEGORIES.index(said.category), 0, 0, 0, 0, 0])
        texts = (said.recipient, said.tenant, "", "", "", "", said.message, said.campaign, "", "", place.topic)
        data += b"".join(map(string, texts)) + b"".join(map(varint, place[1:]))
    return data


def time6(ms):
    return ms.to_bytes(6, "little")


def packed(record, send_of):
    """A changelog value of the model's record."""
    flags, data = len(record.failures), b""
    newest = max((failure.time for failure in record.failures), default=0)
    if record.failures:
        data += time6(newest)
        for f in record.failures:
            category = layouts.CATEGORIES.index(f.category) | f.final << 7
            data += send_of(f.send).to_bytes(5, "little") + struct.pack("<IB", newest - f.time, category)
    if record.delivery:
        send = record.delivery.send
        flags |= 0x10 | record.delivery.came_back << 5 | layouts.KNOWN_BY.index(send.known_by) << 6
        flags |= (send.tenant is not None) << 8
        data += time6(record.delivery.time) + send_of(send).to_bytes(5, "little")
    if record.floor:
        flags, data = flags | 0x200, data + time6(record.floor)
    if record.touched != newest:
        flags, data = flags | 0x400, data + time6(record.touched)
    if record.mailbox:
        box = record.mailbox
        bits = box.mild | (not box.mild) << 1 | (box.end is not None) << 2
        data += bytes([bits, layouts.CATEGORIES.index(box.category)]) + time6(box.start)
        data += (time6(box.end) if box.end else b"") + string(box.rule)
        flags |= 0x800
    if record.repeats:
        flags, data = flags | 0x1000, data + bytes([record.repeats])
    if record.seq:
        flags, data = flags | 0x4000, data + time6(record.seq)
    if record.mailbox:
        flags, data = flags | 0x8000, data + string(record.key)
    return struct.pack("<BH", 1, flags) + data


class Written:
    """Topics as one transaction per event leaves them. Tests spoil them by the lists."""

    def __init__(self, events):
        self.inputs, self.events, self.changelog, self.decisions, self.suppressions = [], [], [], [], []
        self.dead_letters = []
        self.sends = {}
        self.model = policy.Model()
        self.records = {}
        self.newest_ms = [0] * SHARDS
        for native in events:
            self.write(native)

    def send_of(self, send):
        return self.sends.setdefault(send, len(self.sends) + 1)

    def write(self, native):
        place = layouts.Place(INPUT, 0, len(self.inputs), 0)
        self.inputs.append(Message(INPUT, 0, place.offset, None, formats.encode_one([native]), {}))
        key = self.model.key_of(native)
        said = policy.read_event(native)
        partition = int.from_bytes(key_hash(key)[:8], "little") * SHARDS >> 64
        own = [message for message in self.events if message.partition == partition]
        value = block([observation(place, native, key, self.send_of(said.send))])
        self.events.append(Message("suppressd-events", partition, len(own), None, value, {}))
        self.newest_ms[partition] = max(self.newest_ms[partition], said.t)
        self.decide(key, said, partition)
        number, newest_ms = len(own) + 1, self.newest_ms[partition]
        progress = struct.pack("<BQQIQQI", 1, number, number, 1, newest_ms, SECRET_CHECK, SHARDS)
        self.changelog.append(Message("suppressd-changelog", partition, 0, b"progress", progress, {}))

    def decide(self, key, said, partition):
        record = self.records.setdefault(key, Witness(key))
        record.let_time_pass(said.t)
        policy.STEPS[said.kind](record, said, self.model.rules)
        for decision, state in record.decisions:
            self.publish(key, dict(zip(fold.DECISION_FIELDS, decision)), state)
        record.decisions = []
        value = packed(record, self.send_of)
        self.changelog.append(Message("suppressd-changelog", partition, 0, key_hash(key), value, {}))

    def publish(self, key, decision, state):
        decision_id = f"{hash_hex(key_hash(key))}-{decision['seq']}"
        head = {"v": 1, "id": decision_id, "seq": decision["seq"], "policy": {"name": "default", "version": "1"}}
        told = {**head, "action": decision["action"], "rule": decision["rule"], "category": decision["category"],
                "time": fold.iso_time(decision["ts_ms"]), "expires": fold.iso_time(decision["expires_ms"])}  # fmt: skip
        headers = {"ce_specversion": "1.0", "ce_id": decision_id, "ce_type": f"io.suppressd.{decision['action']}.v1",
                   "ce_source": "suppressd/suppressd", "ce_time": told["time"], "suppressd-action": decision["action"],
                   "suppressd-rule": decision["rule"], "suppressd-category": decision["category"],
                   "suppressd-seq": str(decision["seq"])}  # fmt: skip
        value = None
        if state:
            state["mailbox"].update(reason="because", source="bounce")
            value = json.dumps({**head, **state, "updated": told["time"]}).encode()
        partition = murmur2_partition(key.encode(), SHARDS)
        for topic, name, text in ((self.decisions, "d", json.dumps(told).encode()), (self.suppressions, "s", value)):
            topic.append(Message(name, partition, len(topic), key.encode(), text, headers))

    def faults(self):
        ends = {message.partition: message.offset + 1 for message in self.events}
        publications = {"d": SHARDS, "s": SHARDS}
        read = {INPUT: {0: len(self.inputs)}}
        contents = Contents(self.inputs, self.events, self.changelog, self.decisions, self.suppressions,
                            self.dead_letters, SHARDS, publications, ends, read, [])  # fmt: skip
        return Checker(contents, INSTALLATION).run().faults


class SoundTopics(unittest.TestCase):
    def test_have_no_fault(self):
        self.assertEqual([], Written(FULL_THRICE).faults())

    def test_of_several_keys_have_no_fault(self):
        others = [event("bounced", i, f"s{i}@example.com", category="invalid_recipient") for i in range(9)]
        self.assertEqual([], Written(FULL_THRICE + others + [event("delivered", 20)]).faults())

    def test_java_and_the_checker_put_a_key_into_the_same_partition(self):
        """Values of org.apache.kafka.common.utils.Utils.murmur2, from its own test."""
        known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
                 b"a-little-bit-longer-string": -1486304829, b"abc": 479470107}  # fmt: skip
        for key, value in known.items():
            self.assertEqual((value & 0x7FFFFFFF) % 1_000_003, murmur2_partition(key, 1_000_003))


class SpoiltTopics(unittest.TestCase):
    def setUp(self):
        self.topics = Written(FULL_THRICE)

    def assert_fault(self, words):
        faults = "\n".join(self.topics.faults())
        self.assertIn(words, faults)
        self.assertIn("r@example.com", faults)

    def test_an_event_that_is_lost_is_named(self):
        self.topics.inputs.append(Message(INPUT, 0, 3, None, formats.encode_one([event("complaint", 3)]), {}))
        self.assert_fault("1 events did not arrive")

    def test_an_event_that_stands_twice_is_named(self):
        self.topics.events.append(self.topics.events[-1]._replace(offset=3))
        self.assert_fault("doubled, or out of order")

    def test_events_out_of_order_are_named(self):
        values = [message.value for message in self.topics.events]
        self.topics.events[:] = [m._replace(value=v) for m, v in zip(self.topics.events, values[1::-1] + values[2:])]
        self.assert_fault("doubled, or out of order")

    def test_an_observation_in_a_foreign_shard_is_named(self):
        self.topics.events[0] = self.topics.events[0]._replace(partition=(self.topics.events[0].partition + 1) % SHARDS)
        self.assert_fault("its hash says")

    def test_a_decision_that_is_missing_is_named(self):
        del self.topics.decisions[:], self.topics.suppressions[:]
        self.assert_fault("expected, and nothing published")

    def test_a_decision_that_stands_twice_is_named(self):
        self.topics.decisions *= 2
        self.topics.suppressions *= 2
        self.assert_fault("too many decisions")
        self.assert_fault("seq ")
        self.assertIn("stands 2 times", "\n".join(self.topics.faults()))

    def test_a_state_that_is_missing_is_named(self):
        del self.topics.suppressions[:]
        self.assert_fault("ids of the decisions")

    def test_a_state_with_a_wrong_end_is_named(self):
        (message,) = self.topics.suppressions
        value = json.loads(message.value)
        value["mailbox"]["expires"] = None
        self.topics.suppressions[0] = message._replace(value=json.dumps(value).encode())
        self.assert_fault("mailbox.expires")

    def test_a_state_of_another_shape_is_named(self):
        (message,) = self.topics.suppressions
        value = json.loads(message.value)
        del value["mailbox"]["reason"]
        value["scope"] = "planet"
        self.topics.suppressions[0] = message._replace(value=json.dumps(value).encode())
        self.assert_fault("has no reason")
        self.assert_fault("'planet'")

    def test_a_header_that_is_missing_is_named(self):
        del self.topics.suppressions[0].headers["suppressd-rule"]
        self.assert_fault("header suppressd-rule")

    def test_a_record_that_forgot_a_failure_is_named(self):
        self.topics.records["r@example.com"].failures.pop()
        value = packed(self.topics.records["r@example.com"], self.topics.send_of)
        self.topics.changelog[-2] = self.topics.changelog[-2]._replace(value=value)
        self.assert_fault("failures: ")

    def test_a_record_of_nobody_is_named(self):
        self.topics.changelog.insert(-1, self.topics.changelog[-2]._replace(key=b"x" * 16))
        self.assertIn("is nobody's", "\n".join(self.topics.faults()))

    def test_a_transaction_that_is_missing_is_named(self):
        del self.topics.changelog[2:4]
        self.assertIn("sequence 3 after 1", "\n".join(self.topics.faults()))

    def test_a_changelog_record_that_is_missing_is_named(self):
        del self.topics.changelog[2]
        self.assertIn("says 1 records, 0 stand before it", "\n".join(self.topics.faults()))

    def test_state_behind_the_committed_offset_is_named(self):
        del self.topics.changelog[4:]
        self.assertIn("state at 2, committed 3, events end at 3", "\n".join(self.topics.faults()))

    def test_a_dead_letter_that_nobody_expects_is_named(self):
        headers = {"suppressd-topic": INPUT, "suppressd-partition": "0", "suppressd-offset": "0", "suppressd-part": "1"}
        self.topics.dead_letters.append(Message("dead", 0, 0, None, b"x", headers))
        self.assertIn("None expected", "\n".join(self.topics.faults()))


class Sweep(unittest.TestCase):
    """Between two events of a key the sweep may have come by, or not; at the end it has."""

    def test_a_suppression_that_ended_long_ago_must_have_been_released(self):
        later = event("bounced", 60, neighbour_of("r@example.com"), category="mailbox_full")
        self.assertIn("expected, and nothing published", "\n".join(Written([*FULL_THRICE, later]).faults()))

    def test_a_record_that_is_spent_must_have_been_dropped(self):
        early = event("bounced", -60, neighbour_of("r@example.com"), category="mailbox_full")
        self.assertIn("(found)", "\n".join(Written([early, *FULL_THRICE]).faults()))


def neighbour_of(text):
    """Another recipient of the same shard."""
    names = (f"s{number}@example.com" for number in range(1000))
    return next(name for name in names if key_hash(name)[7] * SHARDS >> 8 == key_hash(text)[7] * SHARDS >> 8)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])  # ctest tells every test here where the programs are
