#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays the sample of deploy/ and compares what is decided with deploy/demo-decisions.ndjson.

    demo_story.py BINARY
"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent / "deploy"
sys.path.insert(0, str(HERE / "model"))

from stories import difference  # noqa: E402


def main():
    command = [sys.argv[1], "replay", "-f", "kumomta", str(DEPLOY / "demo-events.ndjson")]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=60)
    decided = [json.loads(line) for line in run.stdout.splitlines()]
    expected = [json.loads(line) for line in (DEPLOY / "demo-decisions.ndjson").read_text("utf-8").splitlines()]
    lines = difference(expected, decided)
    print(*lines or [f"{len(decided)} decisions, all as told in deploy/demo.md"], sep="\n")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
