#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fold.py finds what is wrong in the topics, and nothing else."""

import unittest

import fold

DAY = 86_400_000
T = 1_728_000_000_000
KEY = "r@example.com"


def event(kind, days, **fields):
    return {"kind": kind, "ts_ms": T + days * DAY, "recipient": KEY, **fields}


FULL_THRICE = [event("bounced", 0, category="mailbox_full", campaign=name) for name in ("c1", "c2", "c3")]
SUPPRESS = {
    "action": "suppress", "key": KEY, "rule": "soft", "category": "mailbox_full",
    "expires_ms": T + 30 * DAY, "seq": T, "ts_ms": T,
}  # fmt: skip
LAPSE = {
    **SUPPRESS, "action": "release", "rule": "lapse",
    "expires_ms": None, "seq": T + 30 * DAY, "ts_ms": T + 30 * DAY,
}  # fmt: skip
MAILBOX = {
    "rule": "soft", "category": "mailbox_full", "applies_to": "non_transactional",
    "since": "2024-10-04T00:00:00.000Z", "expires": "2024-11-03T00:00:00.000Z", "reason": "3 sends",
}  # fmt: skip
RECORD = {"v": 1, "seq": T, "recipient": KEY, "scope": "global", "tenant": None, "mailbox": MAILBOX, "wish": None}


class Suppressed(unittest.TestCase):
    """A suppression of 30 days that has not ended."""

    def setUp(self):
        self.expected = fold.expectations(FULL_THRICE, {}, T)

    def test_the_right_record_has_no_difference(self):
        self.assertEqual([], fold.suppression_differences(self.expected, {KEY: RECORD}))

    def test_a_record_that_is_missing_is_named(self):
        self.assertIn(f"{KEY}:", fold.suppression_differences(self.expected, {}))

    def test_a_record_of_somebody_else_is_named(self):
        folded = {KEY: RECORD, "s@example.com": RECORD}
        self.assertIn("s@example.com:", fold.suppression_differences(self.expected, folded))

    def test_a_wrong_end_is_named(self):
        wrong = {**RECORD, "mailbox": {**MAILBOX, "expires": None}}
        self.assertIn("mailbox.expires", fold.suppression_differences(self.expected, {KEY: wrong})[1])

    def test_a_mailbox_that_is_null_is_named(self):
        self.assertTrue(fold.suppression_differences(self.expected, {KEY: {**RECORD, "mailbox": None}}))

    def test_a_wish_that_nobody_had_is_named(self):
        wrong = {**RECORD, "wish": {"kind": "complaint"}}
        self.assertTrue(fold.suppression_differences(self.expected, {KEY: wrong}))

    def test_a_decision_twice_is_named(self):
        self.assertEqual([], fold.decision_differences(self.expected, [SUPPRESS]))
        self.assertTrue(fold.decision_differences(self.expected, [SUPPRESS, SUPPRESS]))


class Ended(unittest.TestCase):
    """A suppression whose end the sweep may have reached."""

    def test_before_its_end_it_may_not_be_released(self):
        expected = fold.expectations(FULL_THRICE, {}, T, T + 30 * DAY - 1)
        self.assertTrue(fold.decision_differences(expected, [SUPPRESS, LAPSE]))

    def test_where_the_sweep_may_have_been_both_are_right(self):
        expected = fold.expectations(FULL_THRICE, {}, T, T + 30 * DAY)
        for decisions, folded in (([SUPPRESS], {KEY: RECORD}), ([SUPPRESS, LAPSE], {})):
            self.assertEqual([], fold.decision_differences(expected, decisions))
            self.assertEqual([], fold.suppression_differences(expected, folded))

    def test_where_the_sweep_has_been_it_must_be_released(self):
        expected = fold.expectations(FULL_THRICE, {}, T + 30 * DAY)
        self.assertTrue(fold.decision_differences(expected, [SUPPRESS]))
        self.assertTrue(fold.suppression_differences(expected, {KEY: RECORD}))
        self.assertEqual([], fold.suppression_differences(expected, fold.fold([(KEY, RECORD), (KEY, None)])))


class Wished(unittest.TestCase):
    """A wish of one tenant."""

    def test_its_record_names_the_tenant_and_has_no_mailbox(self):
        expected = fold.expectations([event("unsubscribe", 0, tenant="a b")], {}, T)
        record = {
            "seq": T, "recipient": KEY, "scope": "tenant", "tenant": "a%20b",
            "mailbox": None, "wish": {"kind": "unsubscribe", "since": "2024-10-04T00:00:00.000Z"},
        }  # fmt: skip
        self.assertEqual([], fold.suppression_differences(expected, {f"a%20b:{KEY}": record}))


if __name__ == "__main__":
    unittest.main()
