#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The bench on a real Apache Kafka, small: test_bench.py BUILD_DIRECTORY.

Not for its figures, which mean nothing at this size, but so that it works when it is wanted.
"""

import json
import os
import subprocess
import sys

from broker import Cluster

EVENTS = 20000
TIMEOUT_S = 240


def run(program, bootstrap, *options):
    command = [program, "pipeline", "--brokers", bootstrap, "--events", str(EVENTS), "--rounds", "1",
               "--latency-seconds", "2", "--low-rate", "500", "--high-rate", "1000", *options]  # fmt: skip
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S).stdout


def topics_left(kafka):
    names = kafka.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", kafka.bootstrap, "--list")
    return [name for name in names.split() if name.startswith("bench-")]


def main():
    program = os.path.join(sys.argv[1], "suppressd-bench")
    with Cluster(nodes=1) as kafka:
        figures = json.loads(run(program, kafka.bootstrap, "--json"))
        print(json.dumps(figures))
        assert figures["events"] == EVENTS
        assert set(figures["parts"]) == {"bare", "run", "plain"}
        assert set(figures["ratios"]) == {"cpu", "wall", "transactions"}
        for part in figures["parts"].values():
            assert part["events_per_second"] > 0 and part["cpu_ns_per_event"] > 0, part
        for latency in figures["latency"]:
            assert latency["probes"] == sum(count for _upper, count in latency["histogram_us"]) > 0
            assert 0 < latency["p50_ms"] <= latency["p99_ms"] <= latency["max_ms"]
        text = run(program, kafka.bootstrap, "--full", "--parts", "run,latency")
        print(text)
        assert "suppressd run" in text and "p99" in text
        assert topics_left(kafka) == [], topics_left(kafka)
    return 0


if __name__ == "__main__":
    sys.exit(main())
