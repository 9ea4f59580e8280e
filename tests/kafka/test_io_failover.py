#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Brokers die amid transactions: test_io_failover.py BUILD_DIRECTORY.

Three nodes; while a worker copies, each is killed (kill -9) and started again, so that the coordinators of its group
and of its transactions and the leaders of its partitions all go at some time. Every record must be there once.
"""

import os
import subprocess
import sys
import time

from broker import Cluster
from topic_tools import create_topics, feed, read_committed

RECORDS = 80000
PARTITIONS = 3
PACE_MS = 250  # or all is copied while a slow machine starts a node


def main():
    program = os.path.join(sys.argv[1], "io_test")
    with Cluster(nodes=3) as kafka:
        create_topics(kafka, PARTITIONS, "in", "out")
        feed(kafka, "in", RECORDS)
        copier = subprocess.Popen([program, "copy", "in", "out", "failover", "failover-0", str(RECORDS), str(PACE_MS)],
                                  env=dict(os.environ, KAFKA_BOOTSTRAP=kafka.bootstrap))
        try:
            kills = 0
            for node in (1, 2, 3):
                time.sleep(2)
                if copier.poll() is None:
                    kafka.kill(node)
                    kills += 1
                    time.sleep(1)
                    kafka.start_node(node)
            assert copier.wait(180) == 0, "the copier gave up"
        finally:
            copier.kill()
            copier.wait()
        assert kills == 3, "the copier was too fast for the test"
        values = sorted(read_committed(kafka, "out", PARTITIONS))
        assert values == list(range(RECORDS)), "lost or doubled: %d records" % len(values)
        print("%d kills, %d records: each once" % (kills, RECORDS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
