#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two processes on a real broker: from mail events to suppressions, with everything that is not an event between.

SEED in the environment chooses the stream; it is printed.
"""

import json
import os
import unittest

from checker import Input, Installation, Place, check
from harness import EndToEnd, Feed, Follower, Rest, batches, stream

SEED = int(os.environ.get("SEED", "1"))
EVENTS = 4000
KEYS = 120
MAIL, KUMOMTA, PLAIN = "mail.events", "mail.kumomta", "mail.plain"
INPUTS = {MAIL: Input("native", True), KUMOMTA: Input("kumomta"), PLAIN: Input("native")}
PARTITIONS = {MAIL: 4, KUMOMTA: 2, PLAIN: 1}
INSTANCES = ("host-a", "host-b")
T = 1_600_000_000_000
BIG = 2_000_000


def native(kind, recipient, **fields):
    return json.dumps({"kind": kind, "ts_ms": T, "recipient": recipient, **fields}).encode()


# Name: topic, record, a part of the reason that the dead letter must name.
DEAD = {
    "a record that is no JSON": (MAIL, b'{"kind":"bounced",', "not JSON"),
    "an oversized record that is no JSON": (MAIL, b"x" * BIG, "not JSON"),
    "a tombstone": (MAIL, None, "tombstone"),
    "an event without a kind": (MAIL, b'{"recipient":"a@example.com","ts_ms":1600000000000}', "no kind"),
    "a release where no operator may speak": (PLAIN, native("release", "a@example.com"), "commands: true"),
    "an address without an @": (MAIL, native("complaint", "example.com"), "@"),
    "an address with another tenant's colon": (MAIL, native("complaint", "acme:a@example.com"), "colon"),
    "a time of 0": (MAIL, native("complaint", "a@example.com", ts_ms=0), "1970"),
}

# What stops nothing and is nobody's failure.
IGNORED = {
    "an unknown kind": (MAIL, native("levitated", "a@example.com")),
    "an unknown type": (KUMOMTA, b'{"type":"Levitation","recipient":"a@example.com","timestamp":1600000000}'),
    "a reception": (MAIL, native("received", "a@example.com")),
}

TAKEN = {
    "a suppression by an operator": (MAIL, native("suppress", "operated@example.com")),
    "a release where operators may speak": (MAIL, native("release", "operated@example.com", ts_ms=T + 1)),
    "an oversized event": (MAIL, native("bounced", "big@example.com", category="invalid_recipient", text="y" * BIG)),
}


class Flow(EndToEnd):
    def setUp(self):
        super().setUp()
        self.application = f"flow-{len(self._testMethodName)}"
        for topic, partitions in PARTITIONS.items():
            self.admin.create(topic, partitions, max_message_bytes="4000000")
            self.addCleanup(self.admin.delete, topic)

    def install(self, policy=None, options=None):
        """Two processes and their topics; the policy in the words of the configuration, and in the model's."""
        own = {"application_id": self.application, "topics.suppressions": self.application, **(policy or {})}
        self.pair = [self.program(instance, INPUTS, own) for instance in INSTANCES]
        self.installation = Installation(INPUTS, self.application, self.application, options or {}, dead={})
        self.pair[0].create_topics()
        self.follower = Follower(self.bootstrap, self.installation.events)

    def start(self):
        for program in self.pair:
            program.start()

    def stop(self):
        """Both end by SIGTERM with exit code 0 in time."""
        for program in self.pair:
            code, seconds = program.stop()
            self.assertEqual(0, code, f"{program.instance}, after {seconds:.1f} s:\n{program.last_log()}")

    def rest(self, feed):
        with Rest(self.bootstrap, self.installation) as rest:
            rest.wait_drained(self.pair)
            feed.close()
            rest.wait_drained(self.pair)
            rest.wait_swept(self.pair)

    def check(self):
        report = check(self.bootstrap, self.installation, self.follower.all())
        print(report.text())
        self.assertEqual([], report.faults, report.text())

    def bury(self, feed):
        """Writes what must not be taken; each has its place in the dead letters."""
        for topic, value, reason in DEAD.values():
            self.installation.dead[Place(topic, 0, feed.record(topic, value), 0)] = reason
        self.bury_in_events(feed, b"\0 is no block")
        lines = b"\n".join((native("complaint", "first@example.com"), b"{", native("complaint", "third@example.com")))
        self.installation.dead[Place(MAIL, 0, feed.record(MAIL, lines), 1)] = "not JSON"

    def bury_in_events(self, feed, value):
        events = self.installation.events
        self.installation.dead[Place(events, 1, feed.record(events, value, 1), 0)] = "no block"

    def test_text_in_the_events_topic_is_dead_lettered(self):
        self.install()
        feed = Feed(self.bootstrap, INPUTS, SEED + 2)
        self.start()
        self.bury_in_events(feed, b"nobody's block")
        feed.send(stream(SEED, 100, KEYS))
        self.rest(feed)
        self.stop()
        self.check()

    def test_every_event_is_decided_once_and_what_is_none_stops_nothing(self):
        print(f"SEED={SEED}")
        self.install()
        feed = Feed(self.bootstrap, INPUTS, SEED)
        parts = batches(stream(SEED, EVENTS, KEYS), 100)
        self.start()
        for batch in parts[: len(parts) // 2]:
            feed.send(batch)
        self.bury(feed)
        for topic, value in (*IGNORED.values(), *TAKEN.values()):
            feed.record(topic, value)
        for batch in parts[len(parts) // 2 :]:
            feed.send(batch)
        self.rest(feed)
        self.stop()
        print(f"{feed.sent} events sent, {feed.aborted} aborted")
        self.check()

    def test_restarts_go_on_without_doubling_whatever_the_policy(self):
        self.install(
            {"policy.mailbox_scope": "tenant", "policy.tenants": "{a: careful, b: handshake}"},
            {"mailbox_scope": "tenant", "tenant_presets": {"a": "careful", "b": "handshake"}},
        )
        feed = Feed(self.bootstrap, INPUTS, SEED + 1)
        parts = batches(stream(SEED + 1, EVENTS // 2, KEYS), 100)
        self.start()
        for i, batch in enumerate(parts):
            feed.send(batch)
            if i % 7 == 3:
                self.stop()
                self.start()
        self.rest(feed)
        self.stop()
        self.check()


if __name__ == "__main__":
    unittest.main()
