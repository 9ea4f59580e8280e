#!/usr/bin/env python3
"""tests/convert_rules.py SUPPRESSD - what deploy/convert-rules makes of other MTAs' rules is read, and means the same.

SPDX-License-Identifier: Apache-2.0
"""
import importlib.machinery
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = ROOT / "deploy/convert-rules"
DATA = ROOT / "tests/data/converters"
sys.dont_write_bytecode = True

# (codes and text as the server gave them) -> category, or what no converted rule says: None
KUMOMTA = {
    "550 mailbox unavailable": "invalid_recipient",
    "550 5.1.1 <zoe@corp.example> User is unknown in our directory": "invalid_recipient",
    "551 5.1.1 there is no such person here": "invalid_recipient",
    "551 5.1.1 there is no such heron here": None,
    "550 This account was closed (code 77.30)": "inactive_mailbox",
    "554 5.2.1 the owner hasn't logged in for 900 days": "inactive_mailbox",
    "552 4.2.2 mailbox is BRIMFUL": "mailbox_full",
    "452 4.2.2 The recipient's store is at its brim": "mailbox_full",
    "554 Go away": "policy_block",
    "554 Go away please": None,
    "550 5.7.515 Denied, look at the domain in the 5322.From": "policy_block",
    "554 5.7.1 client listed by zen.list.example": "reputation_block",
    "451 4.7.504 come again": "server_busy",
    "551 4.7.504 come again": None,
    "550 5.1.10 heron": "bad_domain",
    "451 5.1.8 heron": "sender_rejected",
    "553 5.4.7 heron": "expired",
}
POWERMTA = {
    "554 5.7.1 it carries a virus": "virus",
    "554 see http://lists.example/blocked": "spam_content",
    "552 5.1.1 mailbox is brimful": "mailbox_full",
    "550 5.1.1 Customer has been put to sleep": "inactive_mailbox",
    "550 5.0.0 no such person at corp.example": "invalid_recipient",
    "550 this isn't the sender you're looking for": "sender_rejected",
    "550 5.1.6 heron": "invalid_recipient",
    "554 5.3.4 heron": "message_too_large",  # their quota, but not of the mailbox
    "550 4.7.29 heron": None,  # a row of ours, more exact than their x.7
    "550 5.7.999 heron": "policy_block",
}


def convert(*arguments):
    run = subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout, run.stderr


def check(program, path):
    run = subprocess.run([program, "check-rules", path], capture_output=True, text=True)
    assert run.returncode == 0, f"check-rules: {run.stderr}"


def converted_of(text):
    """The ids and codes that the file gives a meaning."""
    rows = re.findall(r"^  - \{(?:reply: (\d+), )?(?:enhanced: ([\d.]+), )?category", text, re.M)
    return set(re.findall(r"^  - id: (\S+)", text, re.M)) | {" ".join(filter(None, row)) for row in rows}


def classify(program, path, replies):
    run = subprocess.run([program, "classify", "--set", f"rules.files=[{path}]"],
                         input="\n".join(replies) + "\n", capture_output=True, text=True, check=True)  # fmt: skip
    return [json.loads(line) for line in run.stdout.splitlines()]


def check_meanings(program, path, text, wanted):
    ours = converted_of(text)
    for (reply, category), meaning in zip(wanted.items(), classify(program, path, wanted), strict=True):
        said = meaning["category"] if meaning["rule"] in ours else None
        assert said == category, f"{reply}: {said} by {meaning['rule']}, not {category}"


def check_file(program, directory, mta, source, wanted, rules, refused):
    text, told = convert(mta, DATA / source)
    path = directory / f"{mta}.yaml"
    path.write_text(text)
    check(program, path)
    check_meanings(program, path, text, wanted)
    assert text.count("\n  - id: ") == rules and f"{rules} rules" in told, told
    reasons = re.findall(r"^# .* of .*, [\w-]+: (.*)\n#   /", text, re.M)
    assert f"not converted: {len(reasons)}" in told and f"# Not converted: {len(reasons)}" in text
    for reason in refused:
        assert any(reason in given for given in reasons), f"no {reason} among {reasons}"
    assert len(reasons) == len(refused), reasons


def check_options(program, directory):
    replies = directory / "replies.txt"
    replies.write_text("550 5.1.1 heron of another kind\n550 user: code word: heron, said mx7\n")
    text, told = convert("kumomta", DATA / "kumomta.toml", "--map", "OurOwnLabel=policy_block", "--replies", replies, "--prefix", "site")
    assert '    category: policy_block\n    examples: ["550 user: code word: heron, said mx7"]' in text
    assert "- id: site-our-own-label-" in text and "not converted: 6" in told, told
    run = subprocess.run([sys.executable, TOOL, "kumomta", DATA / "kumomta.toml", "--map", "OurOwnLabel=heron"], capture_output=True)
    assert run.returncode != 0 and b"one of invalid_recipient" in run.stderr
    for theirs in (b"[rules]\nA = 1\n", b"[rules\n", b"[other]\n"):
        (directory / "bad.toml").write_bytes(theirs)
        run = subprocess.run([sys.executable, TOOL, "kumomta", directory / "bad.toml"], capture_output=True)
        assert run.returncode != 0 and b"bad.toml: " in run.stderr and b"Traceback" not in run.stderr, run.stderr


def check_refused_by_the_engine(program, directory):
    """What only the engine knows is found by asking it."""
    theirs = directory / "large.toml"
    theirs.write_text('[rules]\nSpamContent = ["first heron", "heron{1,40000}", "last heron"]\n')
    path = directory / "large.yaml"
    path.write_text(convert("kumomta", theirs)[0])
    assert subprocess.run([program, "check-rules", path], capture_output=True).returncode != 0
    text, told = convert("kumomta", theirs, "--check-with", program)
    path.write_text(text)
    check(program, path)
    # the last is no longer taken by the one that was left out
    assert "2 rules and 0 codes; not converted: 1" in told and "the engine refuses the pattern" in text
    assert "first heron" in text and "last heron" in text


def check_tables():
    loader = importlib.machinery.SourceFileLoader("convert_rules_tool", str(TOOL))
    tool = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(tool)
    names = re.findall(r"^CATEGORY\([A-Z_]+, ([a-z_]+), ", (ROOT / "classify/event.def").read_text(), re.M)
    assert set(tool.CATEGORIES) == set(names) - {"none", "manual"}
    readme = (ROOT / "classify/rules/README.md").read_text()
    for mta, classes in tool.MAPS.items():
        assert set(classes.values()) - {None} <= set(names)
        for theirs, ours in classes.items():
            assert re.search(rf"\b{theirs}\b", readme), f"{theirs} of {mta} stands in no table of rules/README.md"
            assert ours is None or f"`{ours}`" in readme, ours
    assert len(tool.MAPS["kumomta"]) == 29 and len(tool.MAPS["powermta"]) == 18


def main():
    program = sys.argv[1]
    check_tables()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        check_file(program, directory, "kumomta", "kumomta.toml", KUMOMTA, 11,
                   ("it never wins", "a class within a class", "look-around", "no category is known", "Uncategorized says nothing",
                    "by a pattern before it", "it matches every reply"))  # fmt: skip
        check_file(program, directory, "powermta", "powermta.conf", POWERMTA, 8,
                   ("look-around", "a back-reference", "no category is known", "success says nothing", "other says nothing"))  # fmt: skip
        check_options(program, directory)
        check_refused_by_the_engine(program, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
