#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Signals on a real broker. SIGHUP: rules of the user's are read anew without a restart, and faulty ones change nothing.
SIGUSR1: what rules did and what they did not know is written to a file."""

import json
import os
import signal
import time
import unittest

from checker import Input, Installation
from harness import EndToEnd, Feed, Follower, Rest, wait_until

MAIL = "mail.reload"
INPUTS = {MAIL: Input("native")}
RULE = "rules: [{id: my-own, pattern: qwertz, category: %s, examples: [550 qwertz]}]\n"


class Reload(EndToEnd):
    def test_rules_are_read_anew_by_a_signal_and_faulty_ones_change_nothing(self):
        self.admin.create(MAIL, 1)
        self.addCleanup(self.admin.delete, MAIL)
        rules = os.path.join(self.directory, "own.yaml")
        self.write(rules, RULE % "policy_block")
        program = self.program("host-a", INPUTS, {"application_id": "reload", "topics.suppressions": "reload",
                                                  "rules.files": f"[{rules}]"})  # fmt: skip
        program.create_topics()
        follower = Follower(self.bootstrap, "reload")
        feed = Feed(self.bootstrap, INPUTS, 1)
        program.start()
        self.bounce(feed, "blocked@example.com")
        with Rest(self.bootstrap, Installation(INPUTS, "reload", "reload", {}, dead={})) as rest:
            rest.wait_drained([program])

        self.write(rules, RULE % "no_such_category")
        program.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "rules are not reloaded" in program.last_log(), 30, "the fault is told")
        self.assertIn("own.yaml:1: rules[1].category", program.last_log())

        self.write(rules, RULE % "invalid_recipient")
        program.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "rules reloaded" in program.last_log(), 30, "the rules are taken")
        self.bounce(feed, "dead@example.com")
        wait_until(lambda: follower.messages, 30, "a suppression")
        code, _seconds = program.stop()
        self.assertEqual(0, code, program.last_log())
        values = {message.key.decode(): json.loads(message.value) for message in follower.all()}
        self.assertEqual(["dead@example.com"], list(values))
        self.assertEqual("invalid_recipient", values["dead@example.com"]["mailbox"]["category"])

    def test_a_signal_writes_what_rules_did_and_did_not_know(self):
        self.admin.create(MAIL, 1)
        self.addCleanup(self.admin.delete, MAIL)
        rules = os.path.join(self.directory, "own.yaml")
        self.write(rules, RULE % "policy_block")
        # more workers than partitions: some have nothing to do, and answer all the same
        program = self.program("host-a", INPUTS, {"application_id": "report", "topics.suppressions": "report",
                                                  "workers.intake": 3, "rules.files": f"[{rules}]"})  # fmt: skip
        program.create_topics()
        feed = Feed(self.bootstrap, INPUTS, 1)
        program.start()
        self.bounce(feed, "blocked@example.com")
        for i in range(3):
            self.bounce(feed, f"ana{i}@example.com", f"ana{i} is asdf")
        with Rest(self.bootstrap, Installation(INPUTS, "report", "report", {}, dead={})) as rest:
            rest.wait_drained([program])

        report = self.report(program, 1)
        self.assertEqual([("example.com", 3, "{address} is asdf")],
                         [(row["provider"], row["count"], row["text"]) for row in report["unknown_by_provider"]])  # fmt: skip
        self.assertEqual({"my-own": 1}, {row["rule"]: row["count"] for row in report["rules"] if row["count"]})
        self.assertEqual((3, 3), (report["workers"], report["workers_heard"]))

        self.write(rules, RULE.replace("qwertz", "asdf") % "policy_block")
        program.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "rules reloaded" in program.last_log(), 30, "the rules are taken")
        self.bounce(feed, "ana3@example.com", "ana3 is asdf")
        with Rest(self.bootstrap, Installation(INPUTS, "report", "report", {}, dead={})) as rest:
            rest.wait_drained([program])
        after = self.report(program, 2)
        self.assertEqual([], after["unknown"])
        self.assertEqual({"my-own": 1}, {row["rule"]: row["count"] for row in after["rules"] if row["count"]})
        self.assertGreater(after["since_ms"], report["since_ms"])
        code, _seconds = program.stop()
        self.assertEqual(0, code, program.last_log())

    def report(self, program, number):
        program.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: program.last_log().count("rule report written") == number, 30, "the report is written")
        directory = os.path.join(self.directory, "host-a")
        self.assertEqual(["rule-report.json", "rule-report.txt"],
                         sorted(name for name in os.listdir(directory) if name.startswith("rule-report")))  # fmt: skip
        with open(os.path.join(directory, "rule-report.json"), encoding="utf-8") as file:
            return json.load(file)

    @staticmethod
    def bounce(feed, recipient, text="qwertz"):
        now_ms = int(time.time() * 1000)
        feed.record(MAIL, json.dumps({"kind": "bounced", "ts_ms": now_ms, "recipient": recipient, "code": 550,
                                      "text": text}).encode())  # fmt: skip

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    unittest.main()
