#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The io on a real Apache Kafka: test_io.py BUILD_DIRECTORY.

Runs io_test on a cluster of one node, then a zombie: a worker that is stopped amid its batch for longer than the
session, while another takes over its partition; continued, it must commit nothing.
"""

import os
import signal
import subprocess
import sys
import time

from broker import Cluster
from topic_tools import create_topics, feed, read_committed

RECORDS = 500
WAIT_S = 60


def wait_stopped(process):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with open("/proc/%d/stat" % process.pid) as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "T":
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError("the zombie did not stop itself")


def zombie_commits_nothing(kafka, program):
    """A static member's partitions are not handed on before its session has run out (6 s)."""
    create_topics(kafka, 1, "zombie-in", "zombie-out")
    feed(kafka, "zombie-in", RECORDS)
    zombie = subprocess.Popen([program, "zombie", "zombie-in", "zombie-out", "zombie", "zombie-0"])
    try:
        wait_stopped(zombie)
        # The partition passes to a member of another name; it copies everything.
        subprocess.run([program, "copy", "zombie-in", "zombie-out", "zombie", "zombie-1", str(RECORDS), "0"],
                       check=True, timeout=WAIT_S)
        zombie.send_signal(signal.SIGCONT)
        assert zombie.wait(WAIT_S) == 0, "the zombie committed something"
    finally:
        zombie.kill()
        zombie.wait()
    assert sorted(read_committed(kafka, "zombie-out")) == list(range(RECORDS)), "lost or doubled"


def main():
    program = os.path.join(sys.argv[1], "io_test")
    with Cluster(nodes=1) as kafka:
        environment = dict(os.environ, KAFKA_BOOTSTRAP=kafka.bootstrap)
        os.environ.update(environment)
        if subprocess.call([program], env=environment) != 0:
            return 1
        zombie_commits_nothing(kafka, program)
        print("zombie_commits_nothing: OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
