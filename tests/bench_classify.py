#!/usr/bin/env python3
"""tests/bench_classify.py SUPPRESSD-BENCH - `classify` of the bench, small: that it runs, and tells all its figures.

Not how fast anything is, which means nothing on a busy machine. What is no matter of speed holds here too: no memory is
taken for an event, PCRE2 names the same rules as we do, and so does a scan of texts in which no ids are hidden
(classify/text_seen.h): of all labelled replies, and of as many made of them as the bench measures with.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import subprocess
import sys

MADE = 30
REPLIES = 1500
BEFORE = 6000


def bench(program, *options):
    command = [program, "classify", "--replies", str(REPLIES), "--before", str(BEFORE), *options]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=250).stdout


def check_spread(spread):
    assert 0 < spread["least"] <= spread["median"] <= spread["most"], spread


def check_set(figures, set_):
    print(json.dumps(set_))
    timed = ["whole_ns", "reply_ns", "seen_ns", "words_ns", "whole_first_ns", "words_first_ns", "scan_ns"]
    if figures["pcre2"]:
        timed += ["pcre2_one_by_one_ns", "pcre2_alternation_ns", "ratio_one_by_one", "ratio_one_by_one_first", "ratio_alternation"]
        assert set_["agreement_one_by_one"] == 1, set_
        assert 0 < set_["agreement_alternation"] <= 1 and set_["alternations"] >= 1 and set_["given_up"] == 0
    for name in timed:
        check_spread(set_[name])
    assert set_.get("allocations", 0) == 0  # a sanitizer's build does not count them
    assert set_["same_unhidden_templates"] > 0.999 and set_["same_unhidden"] > 0.999, set_
    assert 0 < set_["scanned"] < 0.8 * set_["scanned_first"], "what was met before is not remembered"
    assert set_["found_per_reply"] > 0 and set_["database_bytes"] > 0 and set_["compile_ms"] > 0
    assert set_["pattern_bytes"] > 10 and (set_["made"] == 0 or set_["made_bytes"] > set_["pattern_bytes"] / 2)


def check_figures(figures, given):
    first, more = figures["sets"]
    assert first["patterns"] == given and first["made"] == 0
    assert more["patterns"] == given + MADE and more["made"] == MADE
    for set_ in figures["sets"]:
        check_set(figures, set_)
    for name in ("lookup_ns", "asked_ns", "array_ns"):
        check_spread(figures["codes"][name])
    assert figures["replies"] == REPLIES and figures["reply_bytes"] > 40 and figures["same_meaning"] > 0.9
    assert figures["before"] == BEFORE and figures["texts"] < REPLIES and figures["texts_before"] < REPLIES + BEFORE
    assert figures["engine"] and figures["codes"]["keys"] > 100
    assert figures["goals"]["lookup_ns"]["is"] == figures["codes"]["lookup_ns"]["median"]


def check_seed(one, other):
    for old, new in zip(one["sets"], other["sets"]):
        for name in ("patterns", "made_bytes", "found_per_reply", "database_bytes"):
            assert old[name] == new[name], f"the same seed gives another {name}"


def check_hidden(program):
    """Also for people. What hiding changes is told on standard error: addresses with words of rules in them, and gaps of
    patterns, which are counted in bytes."""
    command = [program, "classify", "--replies", "12000", "--before", "0", "--rounds", "1", "--patterns", "1"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=250)
    print(run.stdout, run.stderr)
    told = [line for line in run.stderr.splitlines() if "with ids hidden" in line]
    assert len(told) <= 12, told
    same = re.search(r"same rule as if ids were not hidden: ([\d.]+) % of the replies, ([\d.]+) % of those they were made of", run.stdout)
    assert float(same[1]) >= 99.9 and float(same[2]) >= 99.9, same[0]
    assert "12000 distinct replies" in run.stdout and "goals, by medians" in run.stdout
    return int(re.search(r"^(\d+) patterns: \1 as they are", run.stdout, re.M).group(1))


def main():
    program = sys.argv[1]
    given = check_hidden(program)
    more = str(given + MADE)
    figures = json.loads(bench(program, "--rounds", "2", "--patterns", more, "--json"))
    check_figures(figures, given)
    check_seed(figures, json.loads(bench(program, "--rounds", "1", "--patterns", more, "--json")))
    refused = subprocess.run([program, "classify", "--patterns", "many"], stderr=subprocess.PIPE, text=True)
    assert refused.returncode != 0 and refused.stderr, refused
    return 0


if __name__ == "__main__":
    sys.exit(main())
