#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stories of the policy: `events` in, the `decisions` that must follow, per key in order.

A story is one line of a stories.ndjson; `until_ms` is where its input ends (null: at its newest event),
`options` are the arguments of Model that are not the default. Where its decisions carry a seq, that is
compared too.

    stories.py FILE...      runs every story through the model
"""

import argparse
import json
import sys

from model import Model

FIELDS = ("action", "key", "rule", "category", "expires_ms", "ts_ms")


def load_stories(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def model_decisions(story, model_class=Model):
    """What the model decides in a story, as dicts."""
    model = model_class(**story["options"])
    decisions = [decision for event in story["events"] for decision in model.apply(event)]
    until_ms = story["until_ms"]
    if until_ms is None:
        until_ms = max(event["ts_ms"] for event in story["events"])
    decisions += model.end(until_ms)
    return [decision._asdict() for decision in decisions]


def by_key(decisions, fields=FIELDS):
    """Key -> the given fields of its decisions, in order."""
    keys = {}
    for decision in decisions:
        keys.setdefault(decision["key"], []).append(tuple(decision[field] for field in fields))
    return keys


def difference(expected, actual, fields=FIELDS):
    """Lines that say where two lists of decisions differ, per key; empty if they do not."""
    expected, actual = by_key(expected, fields), by_key(actual, fields)
    lines = []
    for key in sorted(expected.keys() | actual.keys()):
        want, got = expected.get(key, []), actual.get(key, [])
        if want == got:
            continue
        lines.append(f"  {key}:")
        for i in range(max(len(want), len(got))):
            lines += pair(want[i] if i < len(want) else None, got[i] if i < len(got) else None)
    return lines


def story_difference(story, decided):
    with_seq = any("seq" in decision for decision in story["decisions"])
    return difference(story["decisions"], decided, FIELDS + ("seq",) if with_seq else FIELDS)


def pair(want, got):
    """One place of two sequences."""
    if want == got:
        return [f"      {words(want)}"]
    lines = [f"    - {words(want)}   (expected)"] if want else []
    return lines + ([f"    + {words(got)}   (decided)"] if got else [])


def words(decision):
    return " ".join("-" if word is None else str(word) for word in decision)


def check(stories, decide):
    """Runs stories through decide(story) -> decisions; prints those that fail; returns how many."""
    failed = 0
    for story in stories:
        lines = story_difference(story, decide(story))
        if lines:
            failed += 1
            print(f"FAIL {story['name']}", *lines, sep="\n")
    print(f"{len(stories) - failed} of {len(stories)} stories hold")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    failed = sum(check(load_stories(path), model_decisions) for path in arguments.files)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
