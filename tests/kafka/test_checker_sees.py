#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""With a bug of the protocol planted in the program (consumer/test_points.h) the checker finds faults; without, none.

Each bug meets what it cannot bear, and the sound program meets the same:

    skip_undo        transactions that are taken back
    restore_to_lso   a restart while a stranger's open transaction holds back the end of the changelog
    skip_offset      a zombie: stopped amid a transaction that only the sweep filled, continued after a takeover
"""

import contextlib
import os
import signal
import unittest

from checker import Input, Installation, check
from confluent_kafka import Producer
from harness import EndToEnd, Feed, Follower, Rest, batches, stream, wait_until

import topics

SEED = int(os.environ.get("SEED", "1"))
EVENTS = 1000
KEYS = 100
SHARDS = 4
FORGOTTEN = 6000  # recipients of whom the sweep has more to drop than it does at once
T = 1_600_000_000_000
DAY = 86_400_000
SOON_S = 3
TAKEOVER_TIMEOUT_S = 40


class CheckerSees(EndToEnd):
    def assert_seen(self, plant, run):
        """run(harm): with the bug and without."""
        for harm in ({}, {"plant": plant}):
            with self.subTest(**harm):
                self.end_programs()
                self.install(f"{plant}-{'planted' if harm else 'sound'}".replace("_", "-"))
                with Rest(self.bootstrap, self.installation) as self.rest:
                    run(harm)
                for program in self.programs:
                    self.assertEqual(0, program.stop()[0], program.last_log())
                report = check(self.bootstrap, self.installation, self.follower.all())
                print(f"{self.installation.application}: {len(report.faults)} lines of faults", flush=True)
                if harm:
                    self.assertNotEqual([], report.faults, report.text())
                else:
                    self.assertEqual([], report.faults, report.text())

    def end_programs(self):
        for program in self.programs:
            if program.is_running():
                program.kill()
        self.programs.clear()

    def install(self, name):
        inputs = {name + "-mail": Input("native", True)}
        self.admin.create(name + "-mail", 2)
        self.settings = {"application_id": name, "topics.suppressions": name + "-s", "commit.interval": "20ms",
                         "topics.partitions": SHARDS, "transaction.timeout": "30s",
                         "watchdog.timeout": "120s"}  # fmt: skip
        self.installation = Installation(inputs, name, name + "-s")
        self.add("host-a").create_topics()
        self.follower = Follower(self.bootstrap, self.installation.events)
        self.feed = Feed(self.bootstrap, inputs, SEED)

    def add(self, instance):
        name = f"{self.installation.application}-{instance}"
        return self.program(name, self.installation.inputs, self.settings)

    def send(self, events):
        for batch in batches(events, 50):
            self.feed.send(batch)

    def finish(self, harm):
        self.rest.wait_drained(self.programs)
        self.feed.close()
        self.rest.wait_drained(self.programs)
        if not harm:
            self.rest.wait_swept(self.programs)

    # --- skip_undo

    def test_an_abort_that_does_not_undo(self):
        self.assert_seen("skip_undo", self.run_aborts)

    def run_aborts(self, harm):
        self.programs[0].start(abort_at="shard:2", **harm)
        self.send(stream(SEED, EVENTS, KEYS))
        self.finish(harm)

    # --- restore_to_lso

    def test_a_restore_that_ends_at_the_last_stable_offset(self):
        self.assert_seen("restore_to_lso", self.run_restart_behind_a_stranger)

    def run_restart_behind_a_stranger(self, harm):
        (program,) = self.programs
        events = stream(SEED, EVENTS, KEYS)
        program.start()
        self.send(events[: EVENTS // 3])
        self.rest.wait_drained(self.programs)
        stranger = self.open_transaction()
        self.send(events[EVENTS // 3 : EVENTS * 2 // 3])
        self.rest.wait_drained(self.programs)
        program.kill()
        program.start(**harm)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: program.last_log().count(" restored ") == SHARDS, SOON_S, "restored")
        self.assertEqual(bool(harm), " restored " in program.last_log(), program.last_log())
        stranger.abort_transaction(30)
        self.send(events[EVENTS * 2 // 3 :])
        self.finish(harm)

    def open_transaction(self):
        """Of somebody else, in every partition of the changelog."""
        stranger = Producer({**topics.client(self.bootstrap), "transactional.id": self.installation.application + "-x"})
        stranger.init_transactions(30)
        stranger.begin_transaction()
        for partition in range(SHARDS):
            stranger.produce(self.installation.changelog, b"nothing", b"nobody", partition)
        stranger.flush(30)
        return stranger

    # --- skip_offset

    def test_an_offset_that_is_not_sent(self):
        self.assert_seen("skip_offset", self.run_zombie_of_the_sweep)

    def run_zombie_of_the_sweep(self, harm):
        (zombie,) = self.programs
        zombie.start()
        self.send([{"kind": "bounced", "category": "mailbox_full", "campaign": "c", "ts_ms": T + i,
                    "recipient": f"r{i}@example.com"} for i in range(FORGOTTEN)])  # fmt: skip
        self.rest.wait_drained(self.programs)
        self.assertEqual(0, zombie.stop()[0], zombie.last_log())
        zombie.start(stop_at="shard.after_begin:2", **harm)
        self.feed.newest_ms = T + 100 * DAY
        self.feed.send([{"kind": "delivered", "ts_ms": T + 100 * DAY, "recipient": "late@example.com"}])
        wait_until(lambda: is_stopped(zombie), TAKEOVER_TIMEOUT_S, "it stops amid a transaction of the sweep")
        heir = self.add("host-b")
        heir.start()
        wait_until(lambda: heir.last_log().count(" restored ") == SHARDS, TAKEOVER_TIMEOUT_S, "all are taken over")
        self.feed.close()
        self.rest.wait_drained([heir])
        self.rest.wait_swept([heir])
        before = self.rest.shards.ends(self.installation.changelog)
        zombie.process.send_signal(signal.SIGCONT)
        if harm:
            # Nothing more is asked of the two: whoever restores what the zombie has written refuses, rightly.
            wait_until(lambda: self.rest.shards.ends(self.installation.changelog) != before,
                       TAKEOVER_TIMEOUT_S, "the zombie commits")  # fmt: skip
            self.end_programs()
        else:
            self.finish(harm)


def is_stopped(program):
    with open(f"/proc/{program.process.pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


if __name__ == "__main__":
    unittest.main()
