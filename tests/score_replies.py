#!/usr/bin/env python3
"""tests/score_replies.py SUPPRESSD [RULES.yaml...] - how well `classify` reads replies that others have labelled.

RULES: the user's, before those that ship. Agreement with the one right category (strict) and with all that are not wrong (accept); how far `hard` can be trusted
(precision: of the mailboxes that it calls dead, those that are; recall: of the dead, those that it calls so); how much it
does not know; a table per class and the worst confusions. Each share with its 95 % interval (Wilson): the samples are
small. What the labels mean: tests/data/replies/README.md.

SPDX-License-Identifier: Apache-2.0
"""
import collections
import json
import math
import pathlib
import re
import subprocess
import sys

STRICT_MIN = 0.90
ACCEPT_MIN = 0.95
HARD_PRECISION_MIN = 0.97
HARD_RECALL_MIN = 0.95
UNKNOWN_MAX = 0.05  # below it
TRAPS_MIN = 1.0

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFUSIONS_SHOWN = 12


def classes_of_categories():
    text = (ROOT / "classify/event.def").read_text()
    rows = re.findall(r"^CATEGORY\([A-Z_]+, ([a-z_]+), ([A-Z]+)\)", text, re.M)
    return {name: class_.lower() for name, class_ in rows}


def wilson(hits, total):
    """95 % interval of a share. E. B. Wilson, 1927."""
    if total == 0:
        return 0.0, 1.0
    z = 1.96
    share = hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(hits, total):
    return hits / total if total else 0.0


def show(name, hits, total):
    low, high = wilson(hits, total)
    print(f"  {name:<28} {hits:>4} of {total:<4} {share(hits, total):6.1%}   [{low:.1%}, {high:.1%}]")


def classify(program, path, rules):
    """The labelled lines of a file, each with what the program says of it."""
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    run = subprocess.run([program, "classify", "--set", f"rules.files=[{', '.join(rules)}]"], input=text, capture_output=True, text=True, check=True)
    meanings = [json.loads(line) for line in run.stdout.splitlines()]
    if [line["id"] for line in lines] != [meaning["id"] for meaning in meanings]:
        sys.exit(f"{path}: classify answered {len(meanings)} of {len(lines)} lines, or not in their order")
    return list(zip(lines, meanings))


def count(pairs, holds, among=lambda line, meaning: True):
    chosen = [pair for pair in pairs if among(*pair)]
    return sum(1 for pair in chosen if holds(*pair)), len(chosen)


def measures(pairs):
    """name -> (hits, total)"""
    return {
        "strict": count(pairs, lambda l, m: m["category"] == l["strict"], lambda l, m: l["strict"] is not None),
        "accept": count(pairs, lambda l, m: m["category"] in l["accept"]),
        "hard: precision": count(pairs, lambda l, m: l["hard"],
                                 lambda l, m: m["class"] == "hard" and l["hard"] is not None),
        "hard: recall": count(pairs, lambda l, m: m["class"] == "hard", lambda l, m: l["hard"] is True),
        "unknown": count(pairs, lambda l, m: m["class"] == "unknown"),
    }


def is_right(line, meaning):
    if line["strict"] is not None:
        return meaning["category"] == line["strict"]
    return meaning["category"] in line["accept"]


def show_classes(pairs, classes):
    table = collections.defaultdict(collections.Counter)
    for line, meaning in pairs:
        if line["strict"] is not None:
            row = table[classes[line["strict"]]]
            row["lines"] += 1
            row["class"] += classes[meaning["category"]] == classes[line["strict"]]
            row["category"] += meaning["category"] == line["strict"]
        table[classes[meaning["category"]]]["said"] += 1
    print("  class        lines  right class  right category   said in all")
    for name, row in sorted(table.items()):
        print(f"  {name:<12} {row['lines']:>5}  {row['class']:>11}  {row['category']:>14}   {row['said']:>11}")


def show_confusions(pairs):
    wrong = collections.defaultdict(list)
    for line, meaning in pairs:
        if not is_right(line, meaning):
            wanted = line["strict"] or "|".join(line["accept"])
            wrong[(wanted, meaning["category"])].append((line, meaning))
    print("  worst confusions (wanted -> said)")
    for (wanted, said), cases in sorted(wrong.items(), key=lambda item: -len(item[1]))[:CONFUSIONS_SHOWN]:
        line, meaning = cases[0]
        codes = " ".join(str(code) for code in (line["reply_code"], line["enhanced"]) if code)
        print(f"  {len(cases):>3}  {wanted} -> {said}   {line['id']} by {meaning['rule'] or '-'}: {codes} {line['text'][:70]}")


def main():
    program = sys.argv[1]
    classes = classes_of_categories()
    scores = {}
    for name in ("dev", "traps", "own"):
        pairs = classify(program, ROOT / f"tests/data/replies/replies-{name}.jsonl", sys.argv[2:])
        print(f"replies-{name}.jsonl: {len(pairs)} lines")
        scores[name] = measures(pairs)
        scores[name]["right"] = count(pairs, is_right)
        for measure, hits in scores[name].items():
            show(measure, *hits)
        show_classes(pairs, classes)
        show_confusions(pairs)
        print()
    dev = {measure: share(*hits) for measure, hits in scores["dev"].items()}
    failed = [
        sentence for sentence, holds in (
            (f"strict >= {STRICT_MIN:.0%}", dev["strict"] >= STRICT_MIN),
            (f"accept >= {ACCEPT_MIN:.0%}", dev["accept"] >= ACCEPT_MIN),
            (f"hard: precision >= {HARD_PRECISION_MIN:.0%}", dev["hard: precision"] >= HARD_PRECISION_MIN),
            (f"hard: recall >= {HARD_RECALL_MIN:.0%}", dev["hard: recall"] >= HARD_RECALL_MIN),
            (f"unknown < {UNKNOWN_MAX:.0%}", dev["unknown"] < UNKNOWN_MAX),
            ("all traps", share(*scores["traps"]["right"]) >= TRAPS_MIN),
        ) if not holds
    ]
    print("missed: " + "; ".join(failed) if failed else "all thresholds are reached")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
