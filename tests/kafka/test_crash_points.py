#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ends the program at every named point of its protocol, and then looks for what was lost, doubled or turned.

    test_crash_points.py [--times N] [--nodes 1|3] [--seed S] [POINT ...]
                                                                    (tests/kills --points is the same)

The points are those of consumer/test_points.h, asked of the program itself, once for each role that passes them.
At each, amid a stream of events, the process must end by SIGKILL (a point that is not reached is a failure), is
started again without, and must take all that was sent. At the end the checker must find no fault.

Who dies in the revoke callback and is started again within its session is given back by the broker what the last
generation assigned, without a rebalance: the partitions that it was giving up are nobody's then, until the program
notices (consumer/group_watch.h).
"""

import argparse
import random
import re
import signal
import sys
import time
import unittest

from checker import Input, Installation, check
from harness import EndToEnd, Feed, Follower, Rest, batches, stream, wait_until

EVENTS = 20_000  # at most; the points take what they need
BATCH = 25
KEYS = 150
REACH_TIMEOUT_S = 40
NTH_MAX = 4  # which pass ends it
REFUSED = 78
MAIL, KUMOMTA = "mail.events", "mail.kumomta"
INPUTS = {MAIL: Input("native", True), KUMOMTA: Input("kumomta")}
PARTITIONS = {MAIL: 4, KUMOMTA: 2}

OPTIONS = argparse.Namespace(times=1, seed=None, nodes=1, points=[])


class CrashPoints(EndToEnd):
    @classmethod
    def setUpClass(cls):
        cls.nodes = OPTIONS.nodes
        super().setUpClass()

    def setUp(self):
        super().setUp()
        for topic, partitions in PARTITIONS.items():
            self.admin.create(topic, partitions)
        self.program("host-a", INPUTS, {"commit.interval": "20ms"})
        self.installation = Installation(INPUTS)
        self.programs[0].create_topics()
        self.follower = Follower(self.bootstrap, self.installation.events)
        self.joined = 0
        self.chance = random.Random(OPTIONS.seed)
        self.feed = Feed(self.bootstrap, INPUTS, OPTIONS.seed)
        self.parts = iter(batches(stream(OPTIONS.seed, EVENTS * OPTIONS.times, KEYS), BATCH))

    def test_nothing_is_lost_doubled_or_out_of_order(self):
        points = self.choose_points()
        print(f"--seed {OPTIONS.seed} --times {OPTIONS.times} --nodes {OPTIONS.nodes}: {len(points)} crashes", flush=True)
        began = time.monotonic()
        with Rest(self.bootstrap, self.installation) as rest:
            self.rest = rest
            self.programs[0].start()
            self.feed.send(next(self.parts))
            self.drain()
            for point in points:
                self.crash(point)
            self.feed.close()
            self.drain()
            rest.wait_swept(self.programs)
        for program in self.programs:
            self.assertEqual(0, program.stop()[0], program.last_log())
        report = check(self.bootstrap, self.installation, self.follower.all())
        print(f"{len(points)} crashes, {self.feed.sent} events in {time.monotonic() - began:.0f} s")
        print(report.text())
        self.assertEqual([], report.faults, report.text())

    def choose_points(self):
        """A point of the revoke callback needs one more process: those come last."""
        known = self.known_points()
        self.assertLessEqual(set(OPTIONS.points), set(known))
        points = (OPTIONS.points or known) * OPTIONS.times
        return sorted(points, key=lambda point: point.endswith("in_revoke"))

    def known_points(self):
        """An unknown one is refused, and those that there are named."""
        program = self.programs[0]
        program.start(crash_at="shard.nowhere")
        self.assertEqual(REFUSED, program.ends(), program.last_log())
        points = re.search("points:(.*); plants:", program.last_log())
        self.assertIsNotNone(points, f"built without SUPPRESSD_TEST_POINTS? {program.last_log()}")
        return points.group(1).split()

    def crash(self, point):
        program = self.programs[0]
        program.kill()
        role, _dot, name = point.partition(".")
        nth = 1 if name == "in_revoke" else self.chance.randint(1, NTH_MAX)
        harm = {"crash_at": f"{point}:{nth}"}
        if name.endswith("_abort"):
            harm["abort_at"] = f"{role}:2"
        program.start(**harm)
        if name == "in_revoke":
            self.feed.send(next(self.parts))
            self.drain()
            self.join()
        self.feed_until(program, f"{point}:{nth}")
        program.start()
        self.drain()
        self.part()

    def join(self):
        """One more process comes, and partitions are taken from the one that is there."""
        self.joined += 1
        other = self.program(f"host-{self.joined}", INPUTS, {"commit.interval": "20ms"})
        other.start()

    def part(self):
        """So that there is something to take again, the next time."""
        for other in self.programs[1:]:
            self.assertEqual(0, other.stop()[0], other.last_log())
            self.programs.remove(other)

    def feed_until(self, program, what):
        """Events flow until it has ended; by SIGKILL, as it was told, and not by anything else."""

        def has_ended():
            self.feed.send(next(self.parts))
            return not program.is_running()

        wait_until(has_ended, REACH_TIMEOUT_S, f"{what} is reached")
        self.assertEqual(-signal.SIGKILL, program.process.returncode, f"{what}: {program.last_log()}")

    def drain(self):
        self.rest.wait_drained(self.programs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", nargs="*", metavar="POINT", help="only these, as in shard.after_flush")
    parser.add_argument("--times", type=int, default=OPTIONS.times)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    parser.parse_args(namespace=OPTIONS)
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
