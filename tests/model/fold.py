# SPDX-License-Identifier: Apache-2.0
"""What must stand in the topics after a run, for checkers that read them. Pure functions, no Kafka.

    expected = expectations(events, options, surely_ms, perhaps_ms)
    lines  = decision_differences(expected, decisions)               # topic <app>-decisions
    lines += suppression_differences(expected, fold(records))        # topic suppressions

`events` are in the order in which the shards hold them. The daemon releases by itself what ended by an hour
before the newest event of the shard, when its sweep comes by. So a release by lapse whose time is at most
`surely_ms` must have happened, one at most `perhaps_ms` may have.
"""

from datetime import datetime, timedelta, timezone
from typing import NamedTuple, Optional

from model import Model
from stories import difference

DECISION_FIELDS = ("action", "key", "rule", "category", "expires_ms", "seq", "ts_ms")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Outcome(NamedTuple):
    """One way in which a key may end."""

    decisions: tuple  # dicts with DECISION_FIELDS
    state: Optional[dict]  # what its record in `suppressions` must hold; None: a tombstone, or no record ever


def expectations(events, options, surely_ms, perhaps_ms=None):
    """Key -> the one or two Outcomes that are right; keys without decisions are left out."""
    model = Model(**options)
    decisions = {}
    for event in events:
        collect(decisions, model.apply(event))
    collect(decisions, model.end(surely_ms))
    outcomes = {key: [outcome(model.records[key], made)] for key, made in decisions.items()}
    if perhaps_ms is not None:
        for lapse in model.end(perhaps_ms):
            collect(decisions, [lapse])
            outcomes[lapse.key].append(outcome(model.records[lapse.key], decisions[lapse.key]))
    return outcomes


def collect(decisions, made):
    for decision in made:
        decisions.setdefault(decision.key, []).append(decision._asdict())


def outcome(record, decisions):
    return Outcome(tuple(decisions), published_state(record))


def published_state(record):
    """Section 6: the state of the key after its last decision, as far as the policy decides it."""
    if record.mailbox is None and record.wish is None:
        return None
    tenant, _, recipient = record.key.rpartition(":")
    return {
        "seq": record.seq,
        "recipient": recipient,
        "scope": "tenant" if tenant else "global",
        "tenant": tenant or None,
        "mailbox": published_mailbox(record.mailbox),
        "wish": record.wish and {"kind": record.wish},
    }


def published_mailbox(suppression):
    if suppression is None:
        return None
    return {
        "rule": suppression.rule,
        "category": suppression.category,
        "applies_to": "non_transactional" if suppression.mild else "all",
        "since": iso_time(suppression.start),
        "expires": iso_time(suppression.end),
    }


def iso_time(ms):
    """As in the schema; None stays None."""
    if ms is None:
        return None
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fold(records):
    """Compaction: the last value of each key. records: (key, value), value None for a tombstone."""
    table = {}
    for key, value in records:
        table[key] = value
    return {key: value for key, value in table.items() if value is not None}


def suppression_differences(expected, folded):
    """Lines that say where the folded topic `suppressions` is not what it must be."""
    lines = []
    for key in sorted(expected.keys() | folded.keys()):
        states = [way.state for way in expected.get(key, [Outcome((), None)])]
        lines += state_difference(key, states, folded.get(key))
    return lines


def state_difference(key, states, value):
    differences = [field_differences(state, value) for state in states]
    if not all(differences):
        return []
    return [f"{key}:", *min(differences, key=len)]


def field_differences(state, value):
    """What the expected state names, and only that, must be in the record."""
    if state is None or value is None:
        return [] if state is value else [f"    - {state}   (expected)", f"    + {value}   (published)"]
    want, got = flat(state), flat(value)
    return [
        f"    {name}: {want[name]!r} expected, {got.get(name)!r} published"
        for name in want
        if want[name] != got.get(name, "nothing")
    ]


def flat(state):
    """mailbox and wish by their fields: `mailbox.rule`; a whole that is null stays `mailbox`."""
    names = {}
    for name, value in state.items():
        if isinstance(value, dict):
            names.update({f"{name}.{part}": word for part, word in value.items()})
            names[name] = "present"
        else:
            names[name] = value
    return names


def decision_differences(expected, decisions):
    """Lines that say where the decisions, in the order of each key, are not what they must be."""
    made = {}
    for decision in decisions:
        made.setdefault(decision["key"], []).append(decision)
    lines = []
    for key in sorted(expected.keys() | made.keys()):
        ways = expected.get(key, [Outcome((), None)])
        differences = [difference(way.decisions, made.get(key, []), DECISION_FIELDS) for way in ways]
        if all(differences):
            lines += min(differences, key=len)
    return lines
