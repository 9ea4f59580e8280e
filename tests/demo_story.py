#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is decided of the sample of deploy/ is what deploy/demo-decisions.ndjson says.

    demo_story.py BINARY            by `replay`
    demo_story.py BINARY --daemon   by `demo --once`: intake, shard, transactions, topic, follower
"""

import datetime
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent / "deploy"
sys.path.insert(0, str(HERE / "model"))

from stories import difference  # noqa: E402

TIMEOUT_S = 150


def run(*command):
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT_S)
    return ran.stdout.decode().splitlines()


def replayed(binary):
    return [json.loads(line) for line in run(binary, "replay", "-f", "kumomta", str(DEPLOY / "demo-events.ndjson"))]


def day(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%d")


def in_words(decision):
    """What a line of the demo says of a decision: action, key, and how it ends or why it ended."""
    if decision["action"] == "release":
        return "release", decision["key"], decision["rule"], decision["category"]
    end = "for good" if decision["expires_ms"] is None else "until " + day(decision["expires_ms"])
    return "SUPPRESS", decision["key"], end, decision["rule"], decision["category"]


def shown(binary):
    """Key -> the lines of the demo about it. Keys of different shards come in any order."""
    keys = {}
    for line in run(binary, "demo", "--once"):
        words = line.split()
        if words[:1] in (["SUPPRESS"], ["release"]):
            keys.setdefault(words[1], []).append(line)
    return keys


def daemon_differences(expected, keys):
    lines = []
    for key in sorted({decision["key"] for decision in expected} | keys.keys()):
        wanted = [in_words(decision) for decision in expected if decision["key"] == key]
        got = keys.get(key, [])
        if len(wanted) != len(got) or not all(word in line for words, line in zip(wanted, got) for word in words):
            lines += [f"{key}: expected", *map(repr, wanted), "the demo said", *got]
    return lines


def main():
    binary = sys.argv[1]
    expected = [json.loads(line) for line in (DEPLOY / "demo-decisions.ndjson").read_text("utf-8").splitlines()]
    if sys.argv[2:] == ["--daemon"]:
        lines = daemon_differences(expected, shown(binary))
    else:
        lines = difference(expected, replayed(binary))
    print(*lines or [f"{len(expected)} decisions, all as told in deploy/demo.md"], sep="\n")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
