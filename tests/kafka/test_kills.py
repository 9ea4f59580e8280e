#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills two processes again and again, amid a steady stream, and then looks for what was lost, doubled or turned.

    test_kills.py [--kills N] [--seed S] [--nodes 1|3]      (tests/kills is the same)

Each kill -9 ends an intake and a shard worker. Half of them come at a random moment; the others are aimed: as soon
as a record stands in a topic that no transaction has committed yet. The process is started again after 0.02 to
0.6 s, or, three times of ten, after its session has run out, so that the other one takes over. At the end the
checker must find no fault. How many transactions the kills cut short is counted in the broker's own log files.
"""

import argparse
import glob
import heapq
import os
import random
import re
import sys
import time
import unittest

import topics
from checker import Input, Installation, check
from harness import EndToEnd, Feed, Follower, Rest, batches, stream

SECONDS_PER_KILL = 4
TICK_S = 0.1
EVENTS_PER_TICK = 15
KEYS = 150
AIM_S = 1.5
SOON_S = (0.02, 0.6)
AFTER_THE_SESSION_S = (6.5, 9)
MAIL, KUMOMTA = "mail.events", "mail.kumomta"
INPUTS = {MAIL: Input("native", True), KUMOMTA: Input("kumomta")}
PARTITIONS = {MAIL: 4, KUMOMTA: 2}

OPTIONS = argparse.Namespace(kills=20, seed=None, nodes=1)


class Aim:
    """Waits for a record that was just written, committed or not."""

    def __init__(self, bootstrap, installation):
        self.reader = topics.Reader(bootstrap, "read_uncommitted")
        self.topics = (installation.events, installation.changelog)

    def wait(self, chance):
        topic = chance.choice(self.topics)
        begin = {partition: end for partition, (_begin, end) in self.reader.ends(topic).items()}
        self.reader.assign(topic, begin)
        deadline = time.monotonic() + AIM_S
        while time.monotonic() < deadline:
            message = self.reader.consumer.poll(0.05)
            if message is not None and message.error() is None:
                break
        self.reader.consumer.unassign()


class Plan:
    """What happens when: (time, what) in order of time."""

    def __init__(self):
        self.began = time.monotonic()
        self.due = []
        self.added = 0

    def add(self, after_s, action, *arguments):
        self.added += 1  # of two at one time the first to come is first
        heapq.heappush(self.due, (time.monotonic() + after_s, self.added, action, arguments))

    def run(self):
        while self.due:
            at, _added, action, arguments = heapq.heappop(self.due)
            time.sleep(max(0, at - time.monotonic()))
            action(*arguments)


class Kills(EndToEnd):
    @classmethod
    def setUpClass(cls):
        cls.nodes = OPTIONS.nodes
        super().setUpClass()

    def setUp(self):
        super().setUp()
        for topic, partitions in PARTITIONS.items():
            self.admin.create(topic, partitions)
        settings = {"commit.interval": "20ms"}
        self.pair = [self.program(instance, INPUTS, settings) for instance in ("host-a", "host-b")]
        self.installation = Installation(INPUTS)
        self.pair[0].create_topics()
        self.follower = Follower(self.bootstrap, self.installation.events)
        self.chance = random.Random(OPTIONS.seed)
        self.aim = Aim(self.bootstrap, self.installation)
        self.kills = 0
        self.takeovers = 0
        self.down = set()

    def test_nothing_is_lost_doubled_or_out_of_order(self):
        ticks = int(OPTIONS.kills * SECONDS_PER_KILL / TICK_S)
        print(f"--seed {OPTIONS.seed} --kills {OPTIONS.kills} --nodes {OPTIONS.nodes}", flush=True)
        self.feed = Feed(self.bootstrap, INPUTS, OPTIONS.seed)
        self.parts = batches(stream(OPTIONS.seed, ticks * EVENTS_PER_TICK, KEYS), EVENTS_PER_TICK)
        for program in self.pair:
            program.start()
        self.plan = Plan()
        self.plan.add(0, self.tick)
        self.plan.add(SECONDS_PER_KILL, self.kill_one)
        self.plan.run()
        self.come_to_rest()
        report = check(self.bootstrap, self.installation, self.follower.all())
        committed, aborted = self.markers()
        print(f"{self.kills} kills, {self.takeovers} for longer than the session; events and changelog hold "
              f"{committed} marks of commits and {aborted} of aborts; {self.feed.sent} events "
              f"in {time.monotonic() - self.plan.began:.0f} s")  # fmt: skip
        print(report.text())
        self.assertEqual([], report.faults, report.text())

    def tick(self):
        self.check_alive()
        self.feed.send(self.parts.pop(0))
        if self.parts:
            self.plan.add(TICK_S, self.tick)

    def kill_one(self):
        running = [program for program in self.pair if program.is_running()]
        if running:
            program = self.chance.choice(running)
            if self.chance.random() < 0.5:
                self.aim.wait(self.chance)
            program.kill()
            self.kills += 1
            self.start_later(program)
        if self.kills < OPTIONS.kills:
            self.plan.add(self.chance.uniform(0.3, 1.7) * SECONDS_PER_KILL, self.kill_one)

    def start_later(self, program):
        is_takeover = self.chance.random() < 0.3
        self.takeovers += is_takeover
        self.down.add(program)
        self.plan.add(self.chance.uniform(*(AFTER_THE_SESSION_S if is_takeover else SOON_S)), self.start_again, program)

    def start_again(self, program):
        program.start()
        self.down.remove(program)

    def check_alive(self):
        for program in self.pair:
            if program not in self.down and not program.is_running():
                code = program.process.returncode
                self.fail(f"{program.instance} ended by itself with {code}:\n{program.last_log()}")

    def come_to_rest(self):
        with Rest(self.bootstrap, self.installation) as rest:
            rest.wait_drained(self.pair)
            self.feed.close()
            rest.wait_drained(self.pair)
            rest.wait_swept(self.pair)
        for program in self.pair:
            self.assertEqual(0, program.stop()[0], program.last_log())

    def markers(self):
        """Of commits and aborts, one for each partition of a transaction, in the first node's log files."""
        files = []
        for topic in (self.installation.events, self.installation.changelog):
            files += glob.glob(os.path.join(self.cluster.directory, "data1", topic + "-[0-9]*", "*.log"))
        tool = "org.apache.kafka.tools.DumpLogSegments"
        dump = self.cluster.tool(tool, "--deep-iteration", "--files", ",".join(files))
        return len(re.findall("endTxnMarker: COMMIT", dump)), len(re.findall("endTxnMarker: ABORT", dump))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=OPTIONS.kills)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    parser.parse_args(namespace=OPTIONS)
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
