#!/usr/bin/env python3
"""tests/check_formats.py SUPPRESSD [--print] - the README's table of formats says what the program does.

A row of every format that `decode` knows, and in it every field, and no other, that the samples of the format give. What all
events have (kind, origin, recipient, time) is not told again. --print: the table as it should be.

SPDX-License-Identifier: Apache-2.0
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests/data/formats"
FILES = {
    "kumomta": "kumomta*", "powermta": "powermta*", "postfix": "postfix*", "exim": "exim*",
    "sparkpost": "sparkpost*", "momentum": "momentum*", "ses": "ses*", "sendgrid": "sendgrid*",
    "mailgun": "mailgun*", "halon": "halon*", "arf": "arf/*", "dsn": "dsn/*", "native": "expected.ndjson",
}
OF_ALL = {"record", "kind", "origin", "recipient", "ts_ms"}
ORDER = ["code", "enhanced", "text", "stage", "message_id", "event_id", "tenant", "campaign", "sender", "mx", "provider", "attempt",
         "native_class"]


def formats_of(program):
    answer = subprocess.run([program, "decode", "-f", "?", "/dev/null"], capture_output=True, text=True, check=False)
    return [name for name in answer.stderr.split("There are:")[1].split() if name != "auto"]


def fields_of(program, name):
    fields = set()
    for path in sorted(SAMPLES.glob(FILES[name])):
        answer = subprocess.run([program, "decode", "--stage", "-f", name, path], capture_output=True, text=True, check=False)
        for line in answer.stdout.splitlines():
            fields |= set(json.loads(line))
    return [field for field in ORDER if field in fields], fields - OF_ALL - set(ORDER)


def main():
    program = sys.argv[1]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", (ROOT / "README.md").read_text(), re.M))
    wrong = 0
    for name in formats_of(program):
        fields, unknown = fields_of(program, name)
        assert not unknown, unknown
        told = ", ".join(fields)
        if "--print" in sys.argv:
            print(f"| `{name}` | | {told} |")
        elif rows.get(name) != told:
            print(f"README.md, formats, {name}: says `{rows.get(name)}`, should say `{told}`")
            wrong += 1
    return min(wrong, 1)


sys.exit(main())
