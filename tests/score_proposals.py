#!/usr/bin/env python3
"""tests/score_proposals.py SUPPRESSD RULES.yaml... [--rounds N] - how often the rule that a report calls near is right.

The rules know nearly all replies that are labelled, so some of them are forgotten: each round leaves out three rules in ten, by chance, and
asks `replay --unknown` about all labelled replies. Of those that are unknown then, the category that is proposed is held against the
label. A table of support against the share that is right (Wilson's 95 %), and how many replies get a proposal at all.

SPDX-License-Identifier: Apache-2.0
"""
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

from score_replies import wilson

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ("own", "dev", "traps")
LEFT_OUT = 0.3
RIGHT_MIN = 0.5  # what nearest.h says of its threshold
STEPS = (0, 7, 8, 9, 10, 12, 15, 20, 101)


def labelled():
    return [json.loads(line) for name in FILES
            for line in (ROOT / f"tests/data/replies/replies-{name}.jsonl").read_text().splitlines()]  # fmt: skip


def event(number, line):
    """As an event whose time says which reply it is."""
    code, enhanced = line["reply_code"], line["enhanced"]
    given = {"code": code, "enhanced": enhanced}
    deferred = str(code or enhanced or 5).startswith("4")
    return json.dumps({"kind": "deferred" if deferred else "bounced", "ts_ms": 1 + number, "text": line["text"],
                       "recipient": f"zoe@{line['recipient_domain'] or 'x.example'}",
                       **{name: value for name, value in given.items() if value is not None}})  # fmt: skip


def forget(path, chance, folder):
    """A copy of the file without some of its rules; None: without all of them. Counter-examples go: their rule may be forgotten."""
    text = re.sub(r"(?m)^    counter:.*\n(?:      .*\n)*", "", path.read_text())
    head, *rules = re.split(r"(?m)^(?=  - id:)", text)
    kept = [rule for rule in rules if chance.random() >= LEFT_OUT]
    if not kept:
        return None
    copy = folder / path.name
    copy.write_text(head + "".join(kept))
    return str(copy)


def proposals(program, lines, rules, seed):
    """(support in percent or 0, is right) of each reply that is unknown to some of the rules."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = [copy for path in rules if (copy := forget(path, chance, folder))]
        run = subprocess.run([program, "replay", "-f", "native", "--unknown", "--json", "--set",
                              f"rules.files=[{', '.join(files)}]", "-"],
                             input="\n".join(event(i, line) for i, line in enumerate(lines)),
                             capture_output=True, text=True, check=True)  # fmt: skip
    for row in map(json.loads, run.stdout.splitlines()):
        near = row["near"] or {"support_percent": 0, "category": None}
        yield near["support_percent"], near["category"] in lines[row["first_ms"] - 1]["accept"]


def main():
    arguments = sys.argv[1:]
    rounds = int(arguments.pop()) if "--rounds" in arguments else 3
    program, *rules = [argument for argument in arguments if argument != "--rounds"]
    lines = labelled()
    found = [pair for seed in range(rounds)
             for pair in proposals(program, lines, [pathlib.Path(rule) for rule in sorted(rules)], seed)]  # fmt: skip
    print(f"{len(found)} replies that are unknown without some rules, in {rounds} rounds")
    for low, high in zip(STEPS, STEPS[1:]):
        within = [right for support, right in found if low <= support < high]
        if within:
            print(f"  support {low:>3} to {high - 1:>3} %: {len(within):>4}, right {sum(within) / len(within):6.1%}"
                  "   [{:.1%}, {:.1%}]".format(*wilson(sum(within), len(within))))  # fmt: skip
    proposed = [right for support, right in found if support > 0]
    print(f"  proposed: {len(proposed)} ({len(proposed) / len(found):.1%}), right {sum(proposed) / len(proposed):.1%}")
    if sum(proposed) / len(proposed) < RIGHT_MIN:
        print(f"missed: proposals are right in {RIGHT_MIN:.0%}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
