#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""unknown_story.py SUPPRESSD - `replay --unknown` and `--hits` tell an operator what the next rule must know.

A log of three providers is replayed; a rule is written for the most frequent text that nobody knew, and it is gone.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

RULES = r"""
provider: {name: acme, mx: acme.example}
rules:
  - {id: acme-full, pattern: 'pigeonhole of \S+ is stuffed', when: {reply: 5xx}, category: mailbox_full, examples: ['550 the pigeonhole of ana@acme.example is stuffed up']}
"""
NEXT = """
rules:
  - {id: stuffed, pattern: 'is stuffed to the brim', category: mailbox_full, examples: ['550 trunk of ana@acme.example is stuffed to the brim']}
"""
EVENTS = (
    [(f"user{i}@acme.example", 550, f"pigeonhole of user{i}@acme.example is stuffed (id 4TqXbP3w2Zz{i:03}x)") for i in range(3)]
    + [(f"user{i}@acme.example", 450, f"the pigeonhole of user{i}@acme.example is stuffed up") for i in range(5)]
    + [(f"b{i}@other.example", 550, f"trunk of b{i} is stuffed to the brim (192.0.2.{i}, 10:17:{i:02})") for i in range(9)]
    + [("c@third.example", 421, "\u001b[31mqwertz"), ("c@fourth.example", 421, "\u001b[32mqwertz"), ("d@third.example", 550, "")]
)


def replay(binary, rules, *options):
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, text in enumerate(rules):
            files.append(str(pathlib.Path(folder) / f"{i}.yaml"))
            pathlib.Path(files[-1]).write_text(text, encoding="utf-8")
        lines = [json.dumps({"kind": "deferred" if code < 500 else "bounced", "ts_ms": 1700000000000 + i, "recipient": recipient,
                             "code": code, "text": text, "mx": "mx1." + recipient.split("@")[1]})
                 for i, (recipient, code, text) in enumerate(EVENTS)]  # fmt: skip
        ran = subprocess.run([binary, "replay", "-f", "native", *options, "--set", f"rules.files=[{', '.join(files)}]", "-"],
                             input="\n".join(lines), capture_output=True, text=True, check=True, timeout=60)  # fmt: skip
    return ran.stdout


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def check(what, expected, got):
    if expected != got:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


def main():
    binary = sys.argv[1]
    both = objects(replay(binary, [RULES], "--unknown", "--json"))
    check("texts of all providers", [(9, 1), (5, 1), (2, 2)], [(row["count"], row["providers"]) for row in both if row["provider"] is None])  # fmt: skip
    rows = [row for row in both if row["provider"] is not None]
    check("unknown texts",
          [("other.example", 9, "trunk of {address} is stuffed to the brim ({ip}, {time})", "unknown_permanent"),
           ("acme", 5, "the pigeonhole of {address} is stuffed up", "soft_other"),
           ("fourth.example", 1, "[{id}", "server_busy"),
           ("third.example", 1, "[{id}", "server_busy")],
          [(row["provider"], row["count"], row["text"], row["taken_as"]) for row in rows])  # fmt: skip
    check("codes", (550, None), (rows[0]["reply_code"], rows[0]["enhanced"]))
    check("the time of the first and the last", (1700000000008, 1700000000016), (rows[0]["first_ms"], rows[0]["last_ms"]))
    check("the rule that is near", ("mailbox_full", "acme-full"), (rows[1]["near"]["category"], rows[1]["near"]["rule"]))
    check("nothing is near", None, rows[2]["near"])

    hits = {row["rule"]: row["count"] for row in objects(replay(binary, [RULES, NEXT], "--hits", "--json"))}
    check("hits", (3, 9, 2, 0), (hits["acme-full"], hits["stuffed"], hits["421"], hits["5.2.2"]))
    rows = objects(replay(binary, [RULES, NEXT], "--unknown", "--json"))
    check("what is left once a rule knows the most frequent", ["acme", "fourth.example", "third.example"],
          [row["provider"] for row in rows if row["provider"] is not None])  # fmt: skip

    table = replay(binary, [RULES], "--unknown", "--hits")
    for wanted in ("16 replies whose words no rule knew", ".example +1 ", "mailbox_full (acme-full)", "0.yaml:4"):
        if wanted not in table:
            sys.exit(f"the table does not say {wanted!r}:\n{table}")
    if "user0" in table or "192.0.2" in table or "\u001b" in table:
        sys.exit(f"the table says what it must not:\n{table}")
    print("the next rule could be written")


if __name__ == "__main__":
    main()
