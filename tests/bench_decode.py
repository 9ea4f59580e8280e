#!/usr/bin/env python3
"""tests/bench_decode.py SUPPRESSD-BENCH - `decode` and `worst` of the bench, small: that they run, and that nothing grows.

How fast anything is, is not asked on a busy machine. But no record may cost a decoder more the longer it is, byte for
byte: `worst` allows a factor of 4 from one size to a larger one, and says itself whether that holds.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import subprocess
import sys

FORMATS = set("kumomta powermta postfix exim sparkpost momentum ses sendgrid mailgun halon dsn arf native".split())
LARGEST_KIB = 64
SIZES = 5  # 4, 8, 16, 32, 64


def bench(program, *options):
    run = subprocess.run([program, *options], stdout=subprocess.PIPE, text=True, timeout=250)
    assert run.returncode == 0, f"{options} ended with {run.returncode}:\n{run.stdout}"
    return run.stdout


def check_decode(program):
    figures = json.loads(bench(program, "decode", "--rounds", "1", "--json"))
    assert {row["records"].split(",")[0] for row in figures["formats"]} == FORMATS
    for row in figures["formats"]:
        print(json.dumps(row))
        assert row["ns"] > 0 and row["mb_per_s"] > 0 and row["record_bytes"] >= row["event_bytes"] > 100
        assert row.get("auto_ns", 0) > 0 or row["records"] == "powermta, a row"
    if "simdjson" in figures:
        for name in ("compact", "full"):
            assert figures["simdjson"][name]["ratio"] > 0
    text = bench(program, "decode", "--rounds", "1", "--only", "postfix")
    assert len(re.findall(r"^  postfix", text, re.M)) == 2, text


def check_worst(program):
    figures = json.loads(bench(program, "worst", "--kib", str(LARGEST_KIB), "--json"))
    assert figures["grown"] == 0
    assert {row["format"] for row in figures["records"]} == FORMATS | {"auto"}
    for row in figures["records"]:
        assert len(row["ns_per_byte"]) == SIZES and min(row["ns_per_byte"]) > 0, row


def main():
    check_decode(sys.argv[1])
    check_worst(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
