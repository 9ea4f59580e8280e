#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hint_story.py SUPPRESSD - the upstream's own class speaks where we cannot read the reply, and never suppresses at once.

PowerMTA's log holds bounces in words that no rule knows. Three campaigns bounced so are a soft suppression, unless bounceCat says
that our sending was at fault; a class of a dead mailbox changes no more than the name.
"""

import json
import subprocess
import sys

HEADINGS = "type,timeLogged,rcpt,dsnDiag,jobId,bounceCat\n"


def rows(recipient, category, count, words="qwxz frobnicated"):
    return "".join(f"b,{1795255200 + day * 86400},{recipient},smtp;550 {words},campaign{day},{category}\n" for day in range(count))


def run(binary, command, text, *options):
    return subprocess.run([binary, *command, *options], input=text, capture_output=True, text=True, check=True, timeout=60).stdout


def replay(binary, text, *options):
    return run(binary, ["replay", "-f", "powermta", "-"], HEADINGS + text, *options)


def decisions(binary, text):
    return [(d["rule"], d["category"]) for d in map(json.loads, replay(binary, text).splitlines())]


def check(what, expected, got):
    if expected != got:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


def main():
    binary = sys.argv[1]
    check("without a class", [("soft", "unknown_permanent")], decisions(binary, rows("a@x.example", "", 3)))
    check("a class that says nothing", [("soft", "unknown_permanent")], decisions(binary, rows("a@x.example", "other", 3)))
    for category in ("spam-related", "policy-related", "virus-related", "protocol-errors"):
        check(category, [], decisions(binary, rows("a@x.example", category, 9)))
    check("a dead mailbox, once and twice", [], decisions(binary, rows("a@x.example", "bad-mailbox", 2)))
    check("a dead mailbox, three times", [("soft", "soft_other")], decisions(binary, rows("a@x.example", "bad-mailbox", 3)))
    check("words that we know", [("hard", "invalid_recipient")],
          decisions(binary, rows("a@x.example", "policy-related", 1, "5.1.1 no such user")))  # fmt: skip
    unknown = [json.loads(line) for line in replay(binary, rows("a@x.example", "spam-related", 3), "--unknown", "--json").splitlines()]
    check("what was hinted at is still to be learned", (3, "spam_content"), (unknown[0]["count"], unknown[0]["taken_as"]))
    explained = run(binary, ["classify", "--explain"], '{"reply_code":550,"text":"qwxz","native_class":"51"}\n')
    check("the explanation", True, 'hint of the upstream: "51": reputation_block\n' in explained)
    print("a hint speaks for the recipient, and never makes anything hard")


main()
