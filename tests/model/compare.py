#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `suppressd replay` with the model: on a random stream, on a file of events, or on stories.

    compare.py BINARY [--seed N --events N --keys K --hostile] [OPTIONS]
    compare.py BINARY --input events.ndjson [OPTIONS]
    compare.py BINARY --stories FILE

OPTIONS: --preset P --scope global|tenant --tenant NAME=PRESET ... --shards N --until MS

On a difference: the key, and the fewest of its events that still show one, with both outcomes. The decisions
of a key follow from that key's own events alone, so these events are a test of their own.
Exit code: 0 no difference, 1 a difference, 2 the program failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile

import random_stream
from model import Model
from stories import by_key, check, difference, load_stories

SEQ_TOO = ("action", "key", "rule", "category", "expires_ms", "seq", "ts_ms")
KEYS_SHOWN_MAX = 3
TIMEOUT_S = 600


class ProgramFailed(Exception):
    pass


class Program:
    """`suppressd replay` as a function of events and options."""

    def __init__(self, binary, shards=None):
        self.binary = binary
        self.shards = shards

    def command(self, options, until_ms):
        words = [self.binary, "replay", "-f", "native"]
        words += ["--set", f"policy.preset={options.get('preset', 'default')}"]
        words += ["--set", f"policy.mailbox_scope={options.get('mailbox_scope', 'global')}"]
        for tenant, preset in options.get("tenant_presets", {}).items():
            words += ["--set", f"policy.tenants.{tenant}={preset}"]
        if self.shards:
            words += ["--shards", str(self.shards)]
        if until_ms is not None:
            words += ["--until", str(until_ms)]
        return words + ["-"]

    def decisions(self, events, options, until_ms):
        command = self.command(options, until_ms)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as lines:
            for event in events:
                lines.write(json.dumps(event, ensure_ascii=False) + "\n")
            lines.flush()
            lines.seek(0)
            run = subprocess.run(
                command, stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False
            )
        if run.returncode != 0:
            said = run.stderr.decode(errors="replace")[-2000:]
            raise ProgramFailed(f"{' '.join(command)}: exit code {run.returncode}\n{said}")
        return [read_decision(line, command) for line in run.stdout.splitlines() if line.strip()]


def read_decision(line, command):
    try:
        decision = json.loads(line)
        return {field: decision[field] for field in SEQ_TOO}
    except (ValueError, KeyError) as fault:
        raise ProgramFailed(f"{' '.join(command)}: no decision ({fault!r}): {line[:500]!r}") from None


def model_decisions(events, options, until_ms):
    model = Model(**options)
    decisions = [decision for event in events for decision in model.apply(event)]
    decisions += model.end(newest(events) if until_ms is None else until_ms)
    return [decision._asdict() for decision in decisions]


def newest(events):
    return max((event["ts_ms"] for event in events), default=0)


def differing_keys(expected, actual):
    expected, actual = by_key(expected, SEQ_TOO), by_key(actual, SEQ_TOO)
    return sorted(key for key in expected.keys() | actual.keys() if expected.get(key) != actual.get(key))


def fewest(events, differs):
    """Leaves out runs of events, long ones first, as long as the rest still differs."""
    size = max(len(events) // 2, 1)
    while True:
        start = 0
        while start < len(events):
            shorter = events[:start] + events[start + size :]
            if shorter and differs(shorter):
                events = shorter
            else:
                start += size
        if size == 1:
            return events
        size //= 2


def show_key(program, key, events, options, until_ms):
    """Prints the fewest events of the key that differ, and both outcomes."""
    model = Model(**options)
    own = [event for event in events if model.key_of(event) == key]

    def lines_of(some):
        want = model_decisions(some, options, until_ms)
        return difference(want, program.decisions(some, options, until_ms), SEQ_TOO)

    print(f"DIFFERENCE in key {key} ({len(own)} events)")
    if not lines_of(own):
        print("  its own events alone show none: the program lets keys (or batches) touch each other")
        return
    for event in (least := fewest(own, lines_of)):
        print(f"  {json.dumps(event, ensure_ascii=False)}")
    print(*lines_of(least), sep="\n")


def compare_stream(program, events, options, until_ms):
    """True if the program decides what the model decides."""
    if until_ms is None:
        until_ms = newest(events)  # so that a part of the events ends where the whole does
    expected = model_decisions(events, options, until_ms)
    keys = differing_keys(expected, program.decisions(events, options, until_ms))
    for key in keys[:KEYS_SHOWN_MAX]:
        show_key(program, key, events, options, until_ms)
    print(f"{len(events)} events, {len(expected)} decisions, {len(keys)} keys differ")
    return not keys


def compare_stories(program, path):
    """One process per story: stories use the same keys."""
    return 0 == check(
        load_stories(path),
        lambda story: program.decisions(story["events"], story["options"], story["until_ms"]),
    )


def options_of(arguments):
    options = {"preset": arguments.preset, "mailbox_scope": arguments.scope}
    if arguments.tenant:
        options["tenant_presets"] = dict(pair.split("=", 1) for pair in arguments.tenant)
    return options


def events_of(arguments):
    if arguments.input:
        with open(arguments.input, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    print(f"seed {arguments.seed}, {arguments.events} events, {arguments.keys} keys, hostile {arguments.hostile}")
    return list(random_stream.events(arguments.seed, arguments.events, arguments.keys, arguments.hostile))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", metavar="BINARY")
    parser.add_argument("--stories", metavar="FILE")
    parser.add_argument("--input", metavar="FILE", help="native events, NDJSON")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=20, help="recipients alive at a time")
    parser.add_argument("--hostile", action="store_true", help="odd tenants and spellings")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--scope", default="global", help="mailbox_scope: global or tenant")
    parser.add_argument("--tenant", action="append", metavar="NAME=PRESET", help="a tenant with rules of its own")
    parser.add_argument("--shards", type=int)
    parser.add_argument("--until", type=int, metavar="MS")
    arguments = parser.parse_args()
    program = Program(arguments.binary, arguments.shards)
    try:
        if arguments.stories:
            same = compare_stories(program, arguments.stories)
        else:
            same = compare_stream(program, events_of(arguments), options_of(arguments), arguments.until)
    except (ProgramFailed, OSError, subprocess.TimeoutExpired) as failure:
        print(failure, file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
