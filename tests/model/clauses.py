#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each clause of section 5 is dropped or bent in the model, one at a time: some story must fail then.

    clauses.py STORIES...                   prints the clauses that no story needs; exit code 1 if there are any
    clauses.py --seed N --events N          the same for a random stream

A clause is a piece of model.py that occurs there once, and what stands in its place without the clause.
Of section 5 only that is not here which nobody can see: that a delivery to nobody leaves no record (step 3
would empty it at the next event), and what an operator's suppress does to `repeats` and `touched` (only his
release can end it, and sets both).
"""

import argparse
import os
import sys
import types

import model as policy
import random_stream
import stories

CLAUSES = (
    # 1
    ("1 a wish is the tenant's", "event.kind in WISHES\n", "False\n"),
    ("1 an operator's word is the tenant's", "event.kind in OPERATOR_WORDS\n", "False\n"),
    ("1 a tenant with rules of its own", "event.tenant in self.tenant_rules\n", "False\n"),
    ("1 mailbox_scope tenant", 'or self.mailbox_scope == "tenant"', "or False"),
    ("1 its own rules judge it", "self.tenant_rules.get(event.tenant, self.rules)", "self.rules"),
    # 2
    ("2 received", 'SILENT = ("received", ', "SILENT = ("),
    ("2 dropped", '"received", "dropped", ', '"received", '),
    ("2 admin", '"dropped", "admin", ', '"dropped", '),
    ("2 ignored", '"admin", "ignored")', '"admin")'),
    ("2 our own delivery", 'kind in ("delivered", "bounced", "late_bounce")', 'kind in ("bounced", "late_bounce")'),
    ("2 our own bounce", 'kind in ("delivered", "bounced", "late_bounce")', 'kind in ("delivered", "late_bounce")'),
    ("2 our own late bounce", 'kind in ("delivered", "bounced", "late_bounce")', 'kind in ("delivered", "bounced")'),
    ("2 a remote deferral", 'kind == "deferred" and not event.local and', 'kind == "deferred" and'),
    ("2 a deferral of class technical", 'category in NOT_THE_RECIPIENT:\n        return False', 'category in CLASSES["feedback"] + ("unknown_transient",):\n        return False'),
    ("2 a deferral of class feedback", 'category in NOT_THE_RECIPIENT:\n        return False', 'category in CLASSES["technical"] + ("unknown_transient",):\n        return False'),
    ("2 a deferral unknown_transient", 'category in NOT_THE_RECIPIENT:\n        return False', 'category in CLASSES["technical"] + CLASSES["feedback"]:\n        return False'),
    ("2 a bounce that no rule takes", 'kind in ("bounced", "late_bounce") and not any', 'kind == "late_bounce" and not any'),
    ("2 a late bounce that no rule takes", 'kind in ("bounced", "late_bounce") and not any', 'kind == "bounced" and not any'),
    ("2 bounces alone, not deferrals that no rule takes", 'kind in ("bounced", "late_bounce") and not any', 'kind in ("bounced", "late_bounce", "deferred") and not any'),
    ("2 bounces alone, not expiries that no rule takes", 'kind in ("bounced", "late_bounce") and not any', 'kind in ("bounced", "late_bounce", "expired") and not any'),
    ("2 an expiry of class internal", 'kind == "expired" and CLASS_OF[category] == "internal"', "False"),
    ("2 an expiry of class internal: auto_reply", 'CLASS_OF[category] == "internal"', 'category == "internal"'),
    ("2 the record is not looked up", "if not matters(event, rules):  # 2\n", "if not matters(event, rules):\n            if key in self.records:\n                self.records[key].let_time_pass(event.t)\n                return take_decisions(self.records[key])\n"),
    # 3
    ("3 a suppression that ends", "if self.mailbox and self.mailbox.end is not None and self.mailbox.end <= t", "if False"),
    ("3 at or before t", "self.mailbox.end <= t", "self.mailbox.end < t"),
    ("3 time: its end", 'self.release_mailbox("lapse", self.mailbox.end)', 'self.release_mailbox("lapse", t)'),
    ("3 a record is empty again", "t - self.touched >= M", "False"),
    ("3 M or more", "t - self.touched >= M", "t - self.touched > M"),
    ("3 with no suppression", "if self.mailbox is None and self.wish is None and t", "if self.wish is None and t"),
    ("3 and no wish", "if self.mailbox is None and self.wish is None and t", "if self.mailbox is None and t"),
    ("3 but for seq", '"""Empty, but for seq."""', "self.seq = 0"),
    ("3 first the release, then the emptying", "        self.lapse(t)\n        if self.mailbox is None and self.wish is None and t - self.touched >= M:\n            self.forget()", "        if self.mailbox is None and self.wish is None and t - self.touched >= M:\n            self.forget()\n        self.lapse(t)"),
    # 4
    ("4 if t > floor", "def delivered(self, event, _rules):\n        t = event.t\n        if t <= self.floor", "def delivered(self, event, _rules):\n        t = event.t\n        if t < self.floor"),
    ("4 releases", 'self.release_mailbox("delivery", t)', "pass"),
    ("4 mild alone", "self.mailbox.mild and self.mailbox.start < t", "self.mailbox.start < t"),
    ("4 that began before t", "self.mailbox.mild and self.mailbox.start < t", "self.mailbox.mild and self.mailbox.start <= t"),
    ("4 that began before t, not whenever", "self.mailbox.mild and self.mailbox.start < t", "self.mailbox.mild"),
    ("4 and this is the delivery", '("delivery", t)\n                self.delivery = Delivery(t, event.send, False)', '("delivery", t)'),
    ("4 under any other suppression nothing", "self.delivery = Delivery(t, event.send, False)\n            return", "self.delivery = Delivery(t, event.send, False)\n                return"),
    ("4 newer than the remembered", "older and t <= older.time", "older and t < older.time"),
    ("4 newer than the remembered, not whenever", "older and t <= older.time", "False"),
    ("4 takes its place", "self.repeats = 0\n        self.delivery = Delivery(t, event.send, False)", "self.repeats = 0\n        self.delivery = self.delivery or Delivery(t, event.send, False)"),
    ("4 if that one had not come back", "if older and not older.came_back", "if older"),
    ("4 two in a row raise the floor", "self.raise_floor(older.time)", "pass"),
    ("4 to the older one", "self.raise_floor(older.time)", "self.raise_floor(t)"),
    ("4 repeats = 0", "self.raise_floor(older.time)\n            self.repeats = 0", "self.raise_floor(older.time)"),
    # 5, what stands
    ("stands: older than the delivery", "or failure.time > delivery.time", "or True"),
    ("stands: as old as the delivery", "or failure.time > delivery.time", "or failure.time >= delivery.time"),
    ("stands: one that came back makes nothing fall", "delivery.came_back or failure", "failure"),
    # 5
    ("5 if t > floor", "def failed(self, event, rules):\n        t = event.t\n        if t <= self.floor", "def failed(self, event, rules):\n        t = event.t\n        if t < self.floor"),
    ("5 if t > floor, not whenever", "def failed(self, event, rules):\n        t = event.t\n        if t <= self.floor", "def failed(self, event, rules):\n        t = event.t\n        if False"),
    ("5 not suppressed for good", "if self.mailbox and self.mailbox.end is None:", "if False:"),
    ("5 suppressed for good, not any suppression", "if self.mailbox and self.mailbox.end is None:", "if self.mailbox:"),
    ("5 a late bounce", 'if event.kind == "late_bounce":', "if False:"),
    ("5 a late bounce, no other", 'if event.kind == "late_bounce":', "if event.final:"),
    ("5 not older than the delivery", "event.t >= delivery.time and is_of", "is_of"),
    ("5 as old as the delivery is not older", "event.t >= delivery.time and is_of", "event.t > delivery.time and is_of"),
    ("5 of the delivery's send", "    return event.send == send", "    return True"),
    ("5 of another tenant is another send", "    return event.send == send", "    return event.send[1:] == send[1:]"),
    ("5 no tenant where it has one", "if send.tenant and not event.tenant:\n        return True", ""),
    ("5 no tenant where it has one: then whatever it names", "if send.tenant and not event.tenant:\n        return True", "if send.tenant and not event.tenant:\n        event = event._replace(tenant=send.tenant)"),
    ("5 no tenant, only where the send has one", "if send.tenant and not event.tenant:", "if not event.tenant:"),
    ("5 no campaign", 'if send.known_by == "campaign" and not event.campaign:\n        return True', ""),
    ("5 no message", 'if send.known_by == "message" and not event.message:\n        return True', ""),
    ("5 a day is never named", 'if send.known_by == "day":\n        return True', ""),
    ("5 our own deferral is internal", 'if event.local and event.kind == "deferred":', "if False:"),
    ("5 our own, not the other side's", 'if event.local and event.kind == "deferred":', 'if event.kind == "deferred":'),
    ("5 an expiry is the word of its send", 'if event.local and event.kind == "expired":', "if False:"),
    ("5 of local origin", 'if event.local and event.kind == "expired":', 'if event.kind == "expired":'),
    ("5 of its send, not of the newest", "word = self.word_of(event.send)\n            if", "word = self.failures[-1] if self.failures else None\n            if"),
    ("5 the word stands", "                and self.stands(word)\n                and event.t", "                and event.t"),
    ("5 the word is less than M old", "and event.t - word.time < M", ""),
    ("5 the word is less than M old, not M", "and event.t - word.time < M", "and event.t - word.time <= M"),
    ("5 the word is not newer than t", "and word.time <= event.t", ""),
    ("5 the word may be as new as t", "and word.time <= event.t", "and word.time < event.t"),
    ("5 else expired", 'return word.category\n            return "expired"', "return word.category\n            return event.category"),
    ("5 an expiry of class technical", "event.category in NOT_THE_RECIPIENT:\n            return", 'event.category in CLASSES["feedback"] + ("unknown_transient",):\n            return'),
    ("5 an expiry of class feedback", "event.category in NOT_THE_RECIPIENT:\n            return", 'event.category in CLASSES["technical"] + ("unknown_transient",):\n            return'),
    ("5 an expiry unknown_transient", "event.category in NOT_THE_RECIPIENT:\n            return", 'event.category in CLASSES["technical"] + CLASSES["feedback"]:\n            return'),
    ("5 our own deferral changes nothing", "failure.is_our_own_deferral\n            and word\n", "False\n            and word\n"),
    ("5 if the word stands", "            and self.stands(word)\n            and not word.is_our_own_deferral", "            and not word.is_our_own_deferral"),
    ("5 and is anything else", "            and not word.is_our_own_deferral\n        ):", "        ):"),
    ("5 anything else: an expiry of our own doing too", "            and not word.is_our_own_deferral\n        ):", '            and word.category != "internal"\n        ):'),
    ("5 our own deferral: not even touched", "            and not word.is_our_own_deferral\n        ):\n            return", "            and not word.is_our_own_deferral\n        ):\n            self.touched = max(self.touched, t)\n            return"),
    ("5 touched", "self.touched = max(self.touched, t)\n        self.remember", "self.remember"),
    ("5 touched = max", "self.touched = max(self.touched, t)\n        self.remember", "self.touched = t\n        self.remember"),
    ("5 becomes the word if it is newer", "if failure.time > word.time:\n        return True", ""),
    ("5 newer: at the same time it is not", "if failure.time > word.time:\n        return True", "if failure.time >= word.time:\n        return True"),
    ("5 not if it is older", "if failure.time > word.time:\n        return True", "return True"),
    ("5 at the same time: if it is final", "if failure.time == word.time and failure.final and not word.final", "if False"),
    ("5 at the same time: and that is not", "failure.final and not word.final", "failure.final"),
    ("5 at the same time, not before", "if failure.time == word.time and failure.final", "if failure.final"),
    ("5 or that is our own deferral", "return word.is_our_own_deferral and not failure.is_our_own_deferral", "return False"),
    ("5 and this is not", "return word.is_our_own_deferral and not failure.is_our_own_deferral", "return word.is_our_own_deferral"),
    ("5 what is older than M goes", "if newest - f.time < M]", "]"),
    ("5 M or more", "if newest - f.time < M]", "if newest - f.time <= M]"),
    ("5 older than the newest failure, not than this", "if newest - f.time < M]", "if failure.time - f.time < M]"),
    ("5 at most 8 sends", "SENDS_MAX = 8", "SENDS_MAX = 9"),
    ("5 as many as 8 sends", "SENDS_MAX = 8", "SENDS_MAX = 7"),
    ("5 the oldest goes if it does not stand", "del self.failures[1 if self.stands(self.failures[0]) else 0]", "del self.failures[1]"),
    ("5 else the second oldest", "del self.failures[1 if self.stands(self.failures[0]) else 0]", "del self.failures[0]"),
    ("5 not the newest", "del self.failures[1 if self.stands(self.failures[0]) else 0]", "del self.failures[-1 if self.stands(self.failures[0]) else 0]"),
    ("5 at one time the first to come is the older", "self.failures[place - 1].time > failure.time", "self.failures[place - 1].time >= failure.time"),
    ("5 the oldest by time, not by coming", "self.failures[place - 1].time > failure.time", "False"),
    ("5 the rules that take this failure", "if not rule.takes(failure):", "if not rule.takes(self.word_of(failure.send) or failure):"),
    ("5 of those that take it, not all", "if not rule.takes(failure):", "if False:"),
    ("5 this failure, though it does not become the word", "self.judge(failure, rules)", "if failure in self.failures:\n            self.judge(failure, rules)"),
    ("5 a rule for 1 send holds, though the failure does not stand", "if not self.holds(rule, on_probation):", "if not self.stands(failure) or not self.holds(rule, on_probation):"),
    ("5 on probation one is enough", "if rule.sends == 1 or on_probation", "if rule.sends == 1"),
    ("5 standing failures", "if self.stands(f) and rule.takes(f)]", "if rule.takes(f)]"),
    ("5 that it takes", "if self.stands(f) and rule.takes(f)]", "if self.stands(f)]"),
    ("5 enough sends", "len(counted) >= rule.sends", "len(counted) > rule.sends"),
    ("5 enough sends, not fewer", "len(counted) >= rule.sends", "len(counted) >= rule.sends - 1"),
    ("5 far enough apart", "counted[-1].time - counted[0].time >= rule.apart_ms", "True"),
    ("5 far enough apart: to the millisecond", "counted[0].time >= rule.apart_ms", "counted[0].time > rule.apart_ms"),
    ("5 the newest, not this failure, from the oldest", "self.holds(rule, on_probation)", "self.holds(rule, on_probation) and (rule.sends == 1 or failure.time == self.counted_by(rule)[-1].time)"),
    ("5 from the top", "for rule in rules:", "for rule in reversed(rules):"),
    ("5 stronger than the present", "suppression.strength <= self.mailbox.strength", "suppression.strength < self.mailbox.strength"),
    ("5 stronger alone", "if self.mailbox and suppression.strength <= self.mailbox.strength", "if False"),
    ("5 for good > other", "            return 3\n", "            return 2\n"),
    ("5 other > mild", "return 1 if self.mild else 2", "return 2"),
    # 6
    ("6 category of this failure", "suppression_by(rule, failure, repeats)\n            if", "suppression_by(rule, failure._replace(category=(self.word_of(failure.send) or failure).category), repeats)\n            if"),
    ("6 start t", "suppression_by(rule, failure, repeats)\n            if", "suppression_by(rule, failure._replace(time=max(failure.time, self.touched)), repeats)\n            if"),
    ("6 on probation repeats + 1", "self.repeats + 1 if on_probation else 1", "1"),
    ("6 repeats = 1", "self.repeats + 1 if on_probation else 1", "self.repeats + 1"),
    ("6 doubled", "2 ** (repeats - 1)", "1"),
    ("6 at most 180 d", "min(MILD_FIRST * 2 ** (repeats - 1), MILD_MAX)", "MILD_FIRST * 2 ** (repeats - 1)"),
    ("6 others: repeats = 0", "self.repeats = repeats if rule.mild else 0", "self.repeats = repeats if rule.mild else self.repeats"),
    ("6 inactive_mailbox 180 d", 'failure.category == "inactive_mailbox"', "False"),
    ("6 probation: repeats > 0", "if self.repeats == 0 or not counted", "if not counted"),
    ("6 probation: the newest of those standing failures", "counted = [failure] if rule.sends == 1 else self.counted_by(rule)", "counted = [failure]"),
    ("6 probation: the newest", "if counted[-1].time - self.floor", "if counted[0].time - self.floor"),
    ("6 probation: less than 30 d", "self.floor >= 30 * DAY", "self.floor > 30 * DAY"),
    ("6 probation: less than 30 d, not for ever", "self.floor >= 30 * DAY", "self.floor >= 300 * DAY"),
    ("6 probation: no delivery", "return not (delivery and delivery.time >= self.floor and not delivery.came_back)", "return True"),
    ("6 probation: at the floor", "delivery.time >= self.floor and", "delivery.time > self.floor and"),
    ("6 probation: that did not come back", "self.floor and not delivery.came_back)", "self.floor)"),
    # 7
    ("7 floor raised", "self.mailbox = None\n        self.raise_floor(time)", "self.mailbox = None"),
    ("7 raised, and failures up to it go", "self.failures = [failure for failure in self.failures if failure.time > self.floor]", "pass"),
    ("7 raised, and those after it stay", "self.failures = [failure for failure in self.failures if failure.time > self.floor]", "self.failures = []"),
    ("7 up to the floor: to the millisecond", "if failure.time > self.floor]", "if failure.time >= self.floor]"),
    ("7 raised, and a delivery up to it goes", "if self.delivery and self.delivery.time <= self.floor", "if False"),
    ("7 raised, and a delivery after it stays", "if self.delivery and self.delivery.time <= self.floor", "if True"),
    ("7 touched", '        self.touched = max(self.touched, time)\n        self.decide("release", why', '        self.decide("release", why'),
    ("7 touched, if later", '        self.touched = max(self.touched, time)\n        self.decide("release", why', '        self.touched = time\n        self.decide("release", why'),
    # 8
    ("8 if t > floor", "if event.t <= self.floor:", "if event.t < self.floor:"),
    ("8 if t > floor, not whenever", "if event.t <= self.floor:", "if False:"),
    ("8 for good", 'Suppression("operator", False, "manual", event.t, None)', 'Suppression("operator", False, "manual", event.t, event.t + 180 * DAY)'),
    # 9
    ("9 category: anything but a wish", "if event.category in WISHES:", "if event.category:"),
    ("9 nothing if t <= floor", "if t <= self.floor or (self.mailbox", "if (self.mailbox"),
    ("9 nothing at the floor", "if t <= self.floor or (self.mailbox", "if t < self.floor or (self.mailbox"),
    ("9 nothing if the suppression starts after t", "or (self.mailbox and self.mailbox.start > t)", ""),
    ("9 starts at t: released", "self.mailbox.start > t)", "self.mailbox.start >= t)"),
    ("9 floor, though nothing to release", "        self.raise_floor(t)\n        self.touched = max(self.touched, t)\n        self.repeats = 0", "        self.touched = max(self.touched, t)\n        self.repeats = 0"),
    ("9 touched, though nothing to release", "        self.raise_floor(t)\n        self.touched = max(self.touched, t)\n        self.repeats = 0", "        self.raise_floor(t)\n        self.repeats = 0"),
    ("9 touched, if later", "        self.raise_floor(t)\n        self.touched = max(self.touched, t)\n        self.repeats = 0", "        self.raise_floor(t)\n        self.touched = t\n        self.repeats = 0"),
    ("9 repeats = 0", "        self.touched = max(self.touched, t)\n        self.repeats = 0", "        self.touched = max(self.touched, t)"),
    # 10
    ("10 newer than the wish's floor", "if t <= self.wish_floor:", "if False:"),
    ("10 newer, not as old", "if t <= self.wish_floor:", "if t < self.wish_floor:"),
    ("10 the wish's floor is not the mailbox's", "if t <= self.wish_floor:", "if t <= max(self.wish_floor, self.floor):"),
    ("10 the wish's time is the newest", "self.wish_time = max(self.wish_time, t)", "self.wish_time = self.wish_time or t"),
    ("10 the newest, not the last to come", "self.wish_time = max(self.wish_time, t)", "self.wish_time = t"),
    ("10 the newest of them, also of a weaker", "self.wish_time = max(self.wish_time, t)\n", "self.wish_time = max(self.wish_time, t if wish_strength(event.kind) >= wish_strength(self.wish) else 0)\n"),
    ("10 if stronger", "if wish_strength(event.kind) > wish_strength(self.wish)", "if wish_strength(event.kind) >= wish_strength(self.wish)"),
    ("10 complaint > unsubscribe", '{"complaint": 2,', '{"complaint": 1,'),
    ("10 unsubscribe > none", '"unsubscribe": 1,', '"unsubscribe": 0,'),
    ("10 nothing if the wish is stronger", "if wish_strength(self.wish) > wish_strength(event.category) or", "if"),
    ("10 a stronger release ends a weaker wish", "if wish_strength(self.wish) > wish_strength(event.category) or", "if self.wish not in (None, event.category) or"),
    ("10 or its time is after t", " or self.wish_time > t:", ":"),
    ("10 its time is t: released", " or self.wish_time > t:", " or self.wish_time >= t:"),
    ("10 the wish's floor becomes t", "self.wish_floor = max(self.wish_floor, t)", "pass"),
    ("10 if later", "self.wish_floor = max(self.wish_floor, t)", "self.wish_floor = t"),
    ("10 touched becomes t", "        self.touched = max(self.touched, t)\n        if self.wish:", "        if self.wish:"),
    ("10 touched, if later", "        self.touched = max(self.touched, t)\n        if self.wish:", "        self.touched = t\n        if self.wish:"),
    ("10 a release of a wish is not the mailbox's", "self.release_wish(event)\n            return", "self.release_wish(event)"),
    # 11
    ("11 seq is at least the time", "self.seq = max(self.seq + 1, time)", "self.seq = self.seq + 1"),
    ("11 seq grows", "self.seq = max(self.seq + 1, time)", "self.seq = max(self.seq, time)"),
    ("11 a release carries the category that it ends", 'self.decide("release", why, category, None, time)', 'self.decide("release", why, why, None, time)'),
    ("11 a release of a wish carries the wish", 'self.decide("release", "operator", ended, None, t)', 'self.decide("release", "operator", event.category, None, t)'),
    # 2, words
    ("send: the campaign", 'if self.campaign:\n            return Send(self.tenant, "campaign", self.campaign)', ""),
    ("send: the campaign before the message id", "if self.campaign:", "if self.campaign and not self.message:"),
    ("send: else the message id", 'if self.message:\n            return Send(self.tenant, "message", self.message)', ""),
    ("send: the tenant with the campaign", 'Send(self.tenant, "campaign"', 'Send(None, "campaign"'),
    ("send: the tenant with the message id", 'Send(self.tenant, "message"', 'Send(None, "message"'),
    ("send: the tenant with the day", 'Send(self.tenant, "day"', 'Send(None, "day"'),
    ("send: a message is not a campaign of that name", 'Send(self.tenant, "message"', 'Send(self.tenant, "campaign"'),
    ("send: the UTC day", "self.t // DAY)", "0)"),
    # rows
    ("row hard takes no deferral", 'Rule("hard", False, HARD, NOTHING, 1, 0),\n        Rule("full", True, FULL, FULL', 'Rule("hard", False, HARD, HARD, 1, 0),\n        Rule("full", True, FULL, FULL'),
    ("row full takes deferrals", 'Rule("full", True, FULL, FULL', 'Rule("full", True, FULL, NOTHING'),
    ("row full: mailbox_full alone", 'Rule("full", True, FULL, FULL, 2, 7 * DAY)', 'Rule("full", True, SOFT, SOFT, 2, 7 * DAY)'),
    ("row soft: class full", 'SOFT = frozenset(CLASSES["full"] + CLASSES["soft"]', 'SOFT = frozenset(CLASSES["soft"]'),
    ("row soft: unknown_permanent", '+ CLASSES["soft"] + ("unknown_permanent",))', '+ CLASSES["soft"])'),
    ("row soft: class hard under deferrals", 'Rule("soft", True, SOFT, SOFT | HARD, 3, 0)', 'Rule("soft", True, SOFT, SOFT, 3, 0)'),
    ("row soft: not class hard when final", 'Rule("soft", True, SOFT, SOFT | HARD, 3, 0)', 'Rule("soft", True, SOFT | HARD, SOFT | HARD, 3, 0)'),
    ("careful: full takes no deferrals", 'Rule("full", True, FULL, NOTHING, 2, 7 * DAY)', 'Rule("full", True, FULL, FULL, 2, 7 * DAY)'),
    ("careful: has a rule full", 'Rule("full", True, FULL, NOTHING, 2, 7 * DAY),', ""),
    ("careful: soft takes no deferrals", 'Rule("soft", True, SOFT, NOTHING, 3, 3 * DAY)', 'Rule("soft", True, SOFT, SOFT | HARD, 3, 3 * DAY)'),
    ("careful: 3 d apart", 'Rule("soft", True, SOFT, NOTHING, 3, 3 * DAY)', 'Rule("soft", True, SOFT, NOTHING, 3, 3 * DAY - 1)'),
    ("careful: 3 d apart is enough", 'Rule("soft", True, SOFT, NOTHING, 3, 3 * DAY)', 'Rule("soft", True, SOFT, NOTHING, 3, 3 * DAY + 1)'),
    ("handshake: takes no deferrals", 'Rule("soft", True, SOFT, NOTHING, 3, 14 * DAY)', 'Rule("soft", True, SOFT, SOFT | HARD, 3, 14 * DAY)'),
    ("handshake: no rule full", 'Rule("hard", False, HARD, NOTHING, 1, 0),\n        Rule("soft"', 'Rule("hard", False, HARD, NOTHING, 1, 0),\n        Rule("full", True, FULL, NOTHING, 2, 7 * DAY),\n        Rule("soft"'),
    ("handshake: 14 d apart", "NOTHING, 3, 14 * DAY)", "NOTHING, 3, 14 * DAY - 1)"),
    ("handshake: 14 d apart is enough", "NOTHING, 3, 14 * DAY)", "NOTHING, 3, 14 * DAY + 1)"),
    *((f"class hard: {category}", f'"hard": ({", ".join(repr(c) for c in policy.CLASSES["hard"])})'.replace("'", '"'), f'"hard": {tuple(c for c in policy.CLASSES["hard"] if c != category)}, "soft_too": ("{category}",)') for category in policy.CLASSES["hard"]),
    *((f"class soft: {category}", f'"soft": ({", ".join(repr(c) for c in policy.CLASSES["soft"])})'.replace("'", '"'), f'"soft": {tuple(c for c in policy.CLASSES["soft"] if c != category)}, "hard_too": ("{category}",)') for category in policy.CLASSES["soft"]),
    # time alone
    ("at its end replay releases", "record.lapse(until_ms)", "pass"),
)  # fmt: skip


STREAM_OPTIONS = (
    {"tenant_presets": {"a": "careful", "b": "handshake"}},
    {"mailbox_scope": "tenant", "tenant_presets": {"a": "careful"}},
)


def model_without(source, clause, dropped, instead):
    """The model as a module of its own, with one clause bent."""
    if source.count(dropped) != 1:
        raise ValueError(f"{clause}: occurs {source.count(dropped)} times in the model, not once: {dropped!r}")
    module = types.ModuleType("model")
    exec(compile(source.replace(dropped, instead), clause, "exec"), module.__dict__)  # pylint: disable=exec-used
    return module


def story_fails(story, module):
    """A model that stumbles over a story fails it."""
    try:
        decided = stories.model_decisions(story, module.Model)
    except (KeyError, IndexError, AttributeError):
        return True
    return bool(stories.story_difference(story, decided))


def failing_story(told, module):
    return next((story["name"] for story in told if story_fails(story, module)), None)


def differing_event(stream, module):
    """The first event of the stream on which the bent model decides otherwise."""
    for options in STREAM_OPTIONS:
        whole, bent = policy.Model(**options), module.Model(**options)
        for number, event in enumerate(stream):
            try:
                if whole.apply(event) != bent.apply(event):
                    return f"event {number}"
            except (KeyError, IndexError, AttributeError):
                return f"event {number}"
        until_ms = max(event["ts_ms"] for event in stream)
        if whole.end(until_ms) != bent.end(until_ms):
            return "the end"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="STORIES")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, help="a random stream in the place of stories")
    parser.add_argument("--who", action="store_true", help="say for every clause what needs it")
    arguments = parser.parse_args()
    if arguments.events:
        stream = list(random_stream.events(arguments.seed, arguments.events))

        def needing(module):
            return differing_event(stream, module)
    else:
        told = [story for path in arguments.files for story in stories.load_stories(path)]

        def needing(module):
            return failing_story(told, module)

    unneeded = 0
    with open(os.path.abspath(policy.__file__), encoding="utf-8") as file:
        source = file.read()
    for clause, dropped, instead in CLAUSES:
        needed_by = needing(model_without(source, clause, dropped, instead))
        unneeded += needed_by is None
        if needed_by is None or arguments.who:
            print(f"{clause}: {needed_by or 'nothing needs it'}")
    print(f"{len(CLAUSES) - unneeded} of {len(CLAUSES)} clauses are needed")
    sys.exit(1 if unneeded else 0)


if __name__ == "__main__":
    main()
