#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `run` refuses: topics that would lose state, and state and offsets that do not belong together.

It ends with exit code 78 and says what is wrong where, and what to do. It never starts empty where there was state.
"""

import json
import os
import re
import unittest

import topics
from checker import Input, Installation
from confluent_kafka import Consumer, KafkaException, TopicPartition
from harness import SHARDS, EndToEnd, Feed, Rest, stream, wait_until

SEED = int(os.environ.get("SEED", "1"))
EVENTS = 300
KEYS = 20
REFUSED = 78
MEND = "mend it: kafka-configs.sh"
NOT_OF_THE_STATE = "committed offset is not the one that the state was made with"
COMMIT_TIMEOUT_S = 20  # more than the session: members that ended keep the group busy for so long


class Refusals(EndToEnd):
    number = 0

    def setUp(self):
        super().setUp()
        Refusals.number += 1
        self.application = f"app{self.number}"
        self.input = f"mail.{self.number}"
        self.inputs = {self.input: Input("native", True)}
        self.installation = Installation(self.inputs, self.application, f"{self.application}-suppressions")
        self.admin.create(self.input, 1)
        self.program = self.make_program("host-a", {})

    def make_program(self, instance, settings):
        own = {"application_id": self.application, "topics.suppressions": self.installation.suppressions}
        return super().program(instance, self.inputs, {**own, **settings})

    # --- what the tests begin with

    def create(self):
        self.program.create_topics()

    def work(self, program=None, events=EVENTS):
        """Takes some events, and stops."""
        program = program or self.program
        feed = Feed(self.bootstrap, self.inputs, SEED)
        program.start()
        feed.send(stream(SEED, events, KEYS))
        with Rest(self.bootstrap, self.installation) as rest:
            rest.wait_drained([program])
        self.assertEqual(0, program.stop()[0], program.last_log())

    def assert_refuses(self, *words):
        self.program.start()
        code = self.program.ends()
        log = self.program.last_log()
        self.assertEqual(REFUSED, code, log)
        for word in words:
            self.assertIn(word, log)

    def decisions(self):
        return topics.read(self.bootstrap, self.installation.decisions)

    def delete_records(self, topic, before):
        """before: partition -> offset."""
        file = os.path.join(self.directory, "delete.json")
        with open(file, "w", encoding="utf-8") as out:
            wanted = [{"topic": topic, "partition": p, "offset": offset} for p, offset in before.items()]
            json.dump({"partitions": wanted, "version": 1}, out)
        self.cluster.tool("org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", self.bootstrap,
                          "--offset-json-file", file)  # fmt: skip

    def set_offsets(self, offsets):
        """As an operator does who resets the group of the shards."""
        group = Consumer({**topics.client(self.bootstrap), "group.id": self.application, "enable.auto.commit": False})
        wanted = [TopicPartition(self.installation.events, p, offset) for p, offset in offsets.items()]

        def is_taken():
            try:
                return all(one.error is None for one in group.commit(offsets=wanted, asynchronous=False))
            except KafkaException:
                return False

        wait_until(is_taken, COMMIT_TIMEOUT_S, "the group has no members any more, and takes offsets")
        group.close()

    def committed(self):
        with topics.Reader(self.bootstrap, group=self.application) as reader:
            return reader.committed(self.installation.events)

    # --- topics

    def test_topics_are_created_and_found_by_the_same_command(self):
        for number in range(5):
            own = f"{self.application}-{number}"
            settings = {"application_id": own, "topics.suppressions": own + "-s"}
            program = self.make_program(f"creator-{number}", settings)
            code, said = program.command("topics", "--create")
            self.assertEqual((0, 5), (code, said.count(": created\n")), said)

    def test_a_changelog_that_is_deleted_by_time(self):
        self.create()
        self.admin.set(self.installation.changelog, cleanup_policy="delete")
        self.assert_refuses(self.installation.changelog, "cleanup.policy is delete, must be compact", MEND)

    def test_events_that_end_by_time(self):
        self.create()
        self.admin.set(self.installation.events, retention_ms="86400000")
        self.assert_refuses(self.installation.events, "retention.ms is 86400000, must be -1", MEND)

    def test_a_changelog_that_is_not_there(self):
        self.create()
        self.admin.delete(self.installation.changelog)
        self.assert_refuses(self.installation.changelog, "mend it: suppressd topics --create")

    def test_partition_counts_that_differ(self):
        self.create()
        self.admin.delete(self.installation.changelog)
        self.admin.create(self.installation.changelog, SHARDS - 1, cleanup_policy="compact")
        self.assert_refuses(self.installation.changelog, f"partitions is {SHARDS - 1}", f"must be {SHARDS}")

    # --- the secret

    def test_no_secret(self):
        self.create()
        os.remove(os.path.join(self.directory, "secret"))
        self.assert_refuses("secret", "topics --create")

    def test_another_secret(self):
        self.create()
        self.work()
        with open(os.path.join(self.directory, "secret"), "r+b") as file:
            file.write(b"another")
        self.assert_refuses("another secret", "state.secret_file")

    # --- state and offsets

    def test_a_changelog_made_anew_under_committed_offsets(self):
        self.create()
        self.work()
        before = len(self.decisions())
        self.admin.delete(self.installation.changelog)
        self.create()
        self.assert_refuses("the changelog holds no state", "Restore it")
        self.assertEqual(before, len(self.decisions()))

    def test_a_changelog_whose_beginning_was_deleted(self):
        self.create()
        self.work()
        self.admin.set(self.installation.changelog, cleanup_policy="compact,delete")
        with topics.Reader(self.bootstrap, "read_uncommitted") as reader:
            ends = {p: end for p, (_begin, end) in reader.ends(self.installation.changelog).items()}
        self.delete_records(self.installation.changelog, {p: end - 3 for p, end in ends.items() if end > 3})
        self.admin.set(self.installation.changelog, cleanup_policy="compact")
        self.assert_refuses("the changelog was trimmed", "begin anew")

    def test_events_made_anew_under_a_state(self):
        self.create()
        self.work()
        self.admin.delete(self.installation.events)
        self.create()
        self.assert_refuses("state and offsets do not agree")

    def test_offsets_that_were_set_back(self):
        self.create()
        self.work()
        before = len(self.decisions())
        self.set_offsets(dict.fromkeys(self.committed(), 0))
        self.assert_refuses(NOT_OF_THE_STATE, "Set the group's offset back")
        self.assertEqual(before, len(self.decisions()))

    def test_offsets_that_were_set_forward(self):
        self.create()
        self.work()
        self.set_offsets({partition: offset + 1 for partition, offset in self.committed().items()})
        self.assert_refuses(NOT_OF_THE_STATE)

    def test_a_state_whose_group_was_deleted(self):
        self.create()
        self.work()
        wait_until(self.delete_group, COMMIT_TIMEOUT_S, "the group has no members any more, and can be deleted")
        self.assert_refuses("the group has no committed offset", "Set the group's offset to the state's")

    def delete_group(self):
        said = self.cluster.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server",
                                 self.bootstrap, "--delete", "--group", self.application, check=False)  # fmt: skip
        return "successful" in said

    def test_events_that_were_deleted_before_they_were_read(self):
        self.create()
        self.work()
        intake = self.make_program("host-b", {"workers.shard": 0})
        feed = Feed(self.bootstrap, self.inputs, SEED + 1)
        intake.start()
        feed.send(stream(SEED + 1, EVENTS, KEYS))
        wait_until(self.intake_is_done, 30, "the intake has taken all")
        self.assertEqual(0, intake.stop()[0])
        with topics.Reader(self.bootstrap, "read_uncommitted") as reader:
            ends = {p: end for p, (_begin, end) in reader.ends(self.installation.events).items()}
        self.delete_records(self.installation.events, ends)
        self.assert_refuses("events were deleted before they were read", "retention.ms=-1")

    def intake_is_done(self):
        ends = {m.partition: m.offset + 1 for m in topics.read(self.bootstrap, self.input)}
        with topics.Reader(self.bootstrap, group=self.installation.intake_group) as reader:
            return reader.committed(self.input) == ends

    def test_input_that_was_deleted_before_it_was_read_is_counted_and_it_goes_on(self):
        self.create()
        self.work()
        with topics.Reader(self.bootstrap, group=self.installation.intake_group) as reader:
            committed = reader.committed(self.input)[0]
        feed = Feed(self.bootstrap, self.inputs, SEED + 1)
        offsets = [feed.record(self.input, json.dumps(event).encode()) for event in stream(SEED + 1, 20, KEYS)]
        self.delete_records(self.input, {0: offsets[5]})
        self.program.start()
        with Rest(self.bootstrap, self.installation) as rest:
            rest.wait_drained([self.program])
        self.assertEqual(0, self.program.stop()[0])
        log, lost = self.program.last_log(), offsets[5] - committed
        self.assertRegex(log, f"events are lost topic={re.escape(self.input)} partition=0 records={lost} ")
        self.assertRegex(log, f" lost={lost}\n")


if __name__ == "__main__":
    unittest.main()
