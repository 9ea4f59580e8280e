#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""table_story.py SUPPRESSD - `decode --table` shows a person what was understood, and no bytes can break the terminal."""

import fcntl
import json
import os
import pty
import random
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata

SEED = int(os.environ.get("SEED", "1"))
BOUNCE = {"kind": "bounced", "recipient": "gil@example.com", "ts_ms": 5, "code": 550, "enhanced": "5.1.1", "tenant": "acme",
          "campaign": "spring26", "text": "User unknown"}  # fmt: skip


def check(what, expected, got):
    if expected != got:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


def decode(binary, text, *options, code=0):
    ran = subprocess.run([binary, "decode", "--table", "-f", "native", *options, "-"], input=text, capture_output=True, check=False,
                         timeout=60)  # fmt: skip
    check("exit code", code, ran.returncode)
    check("standard error", b"", ran.stderr)
    return ran.stdout


def on_terminal(binary, text, columns):
    """The same on a terminal as wide as that."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.seek(0)
        child = subprocess.Popen([binary, "decode", "--table", "-f", "native", "-"], stdin=file, stdout=theirs)
    os.close(theirs)
    output = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:
            some = b""
        if not some:
            break
        output += some
    check("exit code on a terminal", 0, child.wait(timeout=60))
    os.close(ours)
    return output.replace(b"\r\n", b"\n")


def lines(*events):
    return "\n".join(event if isinstance(event, str) else json.dumps(event) for event in events).encode()


def width(text):
    """As terminals have it."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def rows_of(output):
    return output.decode().split("\n\n")[0].splitlines()


def shows_rows_faults_and_counts(binary):
    text = lines(BOUNCE, '{"kind":"bounced","recipient":}', {"kind": "deferred", "origin": "local", "recipient": "bo@example.com", "ts_ms": 5},
                 {"kind": "received", "recipient": "bo@example.com", "ts_ms": 5}, "[1]", {"kind": "of tomorrow"}, "nonsense")  # fmt: skip
    table = decode(binary, text, code=1).decode().splitlines()
    check("table", [
        "record  kind      origin  recipient        code  status  tenant  campaign",
        "        text",
        "1       bounced   remote  gil@example.com  550   5.1.1   acme    spring26",
        "        User unknown",
        "2       fault     column 31: not JSON: a comma, colon, quote, bracket or word i\u2026",
        "3       deferred  local   bo@example.com",
        "4       received  remote  bo@example.com",
        "5       fault     column 1: not a JSON object",
        "6       ignored   remote",
        "7       fault     column 1: not JSON: it does not begin with { or [",
        "",
        "events                4",
        "  received            1   ignored: the MTA took the mail, no more",
        "  deferred            1   1 of local origin: our own doing",
        "  bounced             1",
        "  ignored             1   ignored: says nothing of a recipient, or is of a type that nobody knows",
        "faults                3",
    ], [line for line in table if not line.startswith("     " * 3)])  # fmt: skip
    check("reasons of faults", 3, sum(line.startswith(" " * 14) for line in table))


def is_as_wide_as_the_terminal(binary):
    text = lines(BOUNCE | {"text": "User unknown " + "x" * 500})
    check("80 columns without one", 80, max(width(line) for line in rows_of(decode(binary, text))))
    for columns in (60, 100, 200):
        check("columns of a terminal", columns, max(width(line) for line in rows_of(on_terminal(binary, text, columns))))
    beside = rows_of(on_terminal(binary, text, 100))
    check("with room the text stands beside", (2, True), (len(beside), beside[1].endswith("\u2026")))


def heads_come_again_when_columns_change(binary):
    many = [BOUNCE | {"tenant": None, "campaign": None} for _ in range(300)] + [BOUNCE]
    heads = [line for line in rows_of(decode(binary, lines(*many))) if line.startswith("record")]
    check("heads", ["record  kind     origin  recipient        code  status  text",
                    "record  kind     origin  recipient        code  status  tenant  campaign"], heads)  # fmt: skip


def no_bytes_break_the_terminal(binary):
    chance = random.Random(SEED)
    pieces = ["\x1b[31m", "\x07", "\n", "\r", "\x9b", "\u202e", "\u200b", "\ufeff", "\u6f22\u5b57", "\u00fc", "e\u0301", "\U0001f4e7", "\x00",
              "abc ", "\u2028", "\\", "\u00ad"]  # fmt: skip
    events = []
    for _ in range(400):
        event = dict(BOUNCE)
        for field in ("recipient", "tenant", "campaign", "text"):
            event[field] = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 60)))
        events.append(json.dumps(event, ensure_ascii=chance.random() < 0.5))
    for columns in (40, 79, 133):
        table = on_terminal(binary, lines(*events), columns).decode()  # UTF-8, or this throws
        for line in table.split("\n\nevents")[0].split("\n"):
            if width(line) > columns:
                sys.exit(f"seed {SEED}: {width(line)} columns on a terminal of {columns}: {line!r}")
            bad = [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
            check(f"seed {SEED}: characters that a terminal obeys", [], bad)


def has_terminals():
    """A bare root has no /dev/pts."""
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError:
        return False
    return True


def main():
    binary = sys.argv[1]
    shows_rows_faults_and_counts(binary)
    heads_come_again_when_columns_change(binary)
    if not has_terminals():
        print("no terminal can be opened here: what one shows is not tried")
        return
    is_as_wide_as_the_terminal(binary)
    no_bytes_break_the_terminal(binary)
    print("rows, faults and counts; and no bytes break the terminal")


main()
