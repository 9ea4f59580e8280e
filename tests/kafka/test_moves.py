#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cluster moves: processes come, leave, sleep and die, topics grow and go, brokers fall, while events flow.

    test_moves.py BUILD_DIRECTORY                       what CI runs: one node
    SUPPRESSD_SLOW=1 test_moves.py BUILD_DIRECTORY      all, among it two processes under one name, and three nodes

Traffic is a steady stream and, each TICK_S, some pulses: complaints of recipients who never came before, each of
whom is decided once. How long a pulse waits from being written to being decided tells how long its shard, or the
partition of the input that it came through, stood still: the longest wait is printed as the stall, and bounded by
the design. At the end the checker must find nothing lost, doubled or out of order.
"""

import contextlib
import json
import os
import random
import re
import signal
import struct
import subprocess
import threading
import time
import unittest

import topics
from checker import WHOLE, Checker, Input, Installation, Place, read_contents
from confluent_kafka import Consumer, Producer, TopicPartition
from harness import SHARDS, EndToEnd, Feed, Follower, Rest, batches, stream, wait_until

SEED = int(os.environ.get("SEED", "1"))
TICK_S = 0.1
EVENTS_PER_TICK = 6
PULSES_PER_TICK = 4
KEYS = 150
TICKS_MAX = 3000
INPUT_PARTITIONS = 4
SESSION_S = 6
STALL_MAX_S = SESSION_S + 10
RESTART_MAX_S = 10  # 3 is the promise; the machine of the tests is shared
JOIN_MAX_S = 30
STEADY_S = 2  # of undisturbed work before and after each move
STOP_MAX_S = 10
BROKER_STALL_MAX_S = 30  # a record's time, an abort's, a restore; 10 is the promise
SAYS_WITHIN_S = 60
STRANGER_TIMEOUT_MS = 60_000
REFUSED = 78
HUNG = 70
NAP_S = 25  # consumer/test_points.h
SMALL_RECORD = 4000  # bytes that a topic takes
FULL_DISK_KIB = 64
SLOW = unittest.skipUnless(os.environ.get("SUPPRESSD_SLOW"), "takes minutes: SUPPRESSD_SLOW=1 runs it")


# --- traffic, and what becomes of it


class PlainFeed(Feed):
    """Without transactions: a transaction of the test's own would stall with the broker that it is to measure."""

    def send(self, events):
        self._produce(self.plain, events)
        if self.plain.flush(60) > 0:
            raise TimeoutError("the feed's records were not taken")
        if self.failures:
            raise RuntimeError(f"the feed's records were refused: {self.failures[0]}")
        self.sent += len(events)
        self.newest_ms = max([self.newest_ms, *(event["ts_ms"] for event in events)])


class Traffic(threading.Thread):
    """Sends until stop(); `sent_at`: pulse -> when it was written."""

    def __init__(self, feed, seed):
        super().__init__(daemon=True)
        self.feed = feed
        self.parts = batches(stream(seed, TICKS_MAX * EVENTS_PER_TICK, KEYS), EVENTS_PER_TICK)
        self.sent_at = {}
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            for part in self.parts:
                if self.stopping.wait(TICK_S):
                    return
                self.tick(part)
        except Exception as error:  # told by stop()
            self.error = error

    def tick(self, part):
        ts_ms = max(event["ts_ms"] for event in part)
        numbers = range(len(self.sent_at), len(self.sent_at) + PULSES_PER_TICK)
        names = [f"pulse-{number}@example.com" for number in numbers]
        self.feed.send(part + [{"kind": "complaint", "ts_ms": ts_ms, "recipient": name} for name in names])
        self.sent_at.update(dict.fromkeys(names, time.monotonic()))

    def stop(self):
        self.stopping.set()
        self.join()
        if self.error is not None:
            raise self.error


class Watch(Follower):
    """Follows the decisions; `seen_at`: recipient -> when the first of them was read."""

    def __init__(self, bootstrap, topic):
        self.seen_at = {}
        super().__init__(bootstrap, topic)

    def _follow(self):
        while not self.stopping.is_set():
            for message in self.reader.consumer.consume(1000, timeout=0.05):
                if message.error() is None:
                    self.messages.append(topics.Message.of(message))
                    self.seen_at.setdefault(message.key().decode(), time.monotonic())


# --- who has what


def assignment(admin, group):
    """Static member -> {(topic, partition)}, as the group's coordinator tells it."""
    found = admin.client.list_groups(group, timeout=10)
    members = found[0].members if found else []
    return {member.id: set(read_assignment(member.assignment)) for member in members}


def read_assignment(data):
    """The consumer protocol's: version, topics, each with its partitions."""
    if not data:
        return
    (count,), at = struct.unpack_from(">i", data, 2), 6
    for _topic in range(count):
        (size,) = struct.unpack_from(">h", data, at)
        topic, at = data[at + 2 : at + 2 + size].decode(), at + 2 + size
        (numbers,) = struct.unpack_from(">i", data, at)
        for partition in struct.unpack_from(f">{numbers}i", data, at + 4):
            yield topic, partition
        at += 4 + 4 * numbers


def java_hash(text):
    """String.hashCode() of ASCII, made positive as Kafka does."""
    value = 0
    for char in text.encode():
        value = (31 * value + char) & 0xFFFFFFFF
    value = value - (1 << 32) if value >= 1 << 31 else value
    return 0 if value == -(1 << 31) else abs(value)


# --- an installation that is watched


class Moves(EndToEnd):
    number = 0
    feed_class = Feed

    def setUp(self):
        super().setUp()
        Moves.number += 1
        self.application = f"move{self.number}"
        self.mail = f"mail.{self.number}"
        self.inputs = {self.mail: Input("native", True)}
        self.admin.create(self.mail, INPUT_PARTITIONS)
        self.installation = Installation(self.inputs, self.application, f"{self.application}-suppressions")
        self.traffic = None

    def end_all(self):
        if self.traffic is not None:
            self.traffic.stopping.set()
            self.traffic.join()
        super().end_all()

    def make(self, instance, settings=None, inputs=None):
        own = {
            "application_id": self.application,
            "topics.suppressions": self.installation.suppressions,
            "kafka.topic.metadata.refresh.interval.ms": 2000,
            **(settings or {}),
        }
        return self.program(instance, inputs or self.inputs, own)

    def begin(self, *programs, **harm):
        """Topics, processes, and traffic; until each process has its share and decisions come. Harm: the first's."""
        programs[0].create_topics()
        self.follower = Follower(self.bootstrap, self.installation.events)
        self.watch = Watch(self.bootstrap, self.installation.decisions)
        self.feed = self.feed_class(self.bootstrap, self.inputs, SEED + self.number)
        for program in programs:
            program.start(**(harm if program is programs[0] else {}))
        self.traffic = Traffic(self.feed, SEED + self.number)
        self.traffic.start()
        self.wait_shared(*programs)
        self.wait_decided()
        self.began = time.monotonic()

    # --- waiting

    def wait_shared(self, *programs):
        """Until these processes, and no others, share all partitions of both groups."""
        wait_until(lambda: self.are_shared(programs), JOIN_MAX_S + SESSION_S, lambda: f"shared: {self.shares()}")

    def are_shared(self, programs):
        wanted = {(self.installation.intake_group, self.mail): INPUT_PARTITIONS,
                  (self.installation.application, self.installation.events): SHARDS}  # fmt: skip
        for (group, topic), partitions in wanted.items():
            for program in programs:
                own = self.partitions_of(group, topic, program)
                if own != partitions // len(programs):
                    return False
        return True

    def partitions_of(self, group, topic, program):
        members = assignment(self.admin, group).items()
        return sum(one == topic for member, own in members if member.startswith(program.instance) for one, _p in own)

    def shares(self):
        return {group: assignment(self.admin, group)
                for group in (self.installation.intake_group, self.installation.application)}  # fmt: skip

    def wait_decided(self, timeout_s=JOIN_MAX_S + STALL_MAX_S):
        """Until all pulses that were written so far, and one at least, are decided."""
        wait_until(lambda: self.traffic.sent_at or self.traffic.error, JOIN_MAX_S, "the first pulse is written")
        pulses = list(self.traffic.sent_at)
        wait_until(lambda: not self.undecided(pulses), timeout_s, lambda: f"decided: {self.undecided(pulses)[:5]}")

    def undecided(self, pulses):
        return [pulse for pulse in pulses if pulse not in self.watch.seen_at]

    def go_on(self, seconds=STEADY_S):
        """Traffic for so long, and all of it decided."""
        due = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= due or self.traffic.error, seconds + 10, "traffic goes on")
        self.wait_decided()

    # --- figures

    def stall_s(self, since):
        """The longest that a pulse written since then has waited, or waits."""
        now = time.monotonic()
        sent = list(self.traffic.sent_at.items())
        waits = [self.watch.seen_at.get(pulse, now) - at for pulse, at in sent if at >= since]
        return max(waits, default=0)

    def gap_s(self, since):
        """The longest time without any decision."""
        seen = sorted(at for at in list(self.watch.seen_at.values()) if at >= since)
        return max((after - before for before, after in zip(seen, seen[1:])), default=0)

    def assert_stall(self, what, since, bound_s=STALL_MAX_S):
        stall_s = self.stall_s(since)
        self.tell(f"{what}: an event waited at most {stall_s:.1f} s (bound {bound_s} s), "
                  f"and for at most {self.gap_s(since):.1f} s nothing at all was decided")  # fmt: skip
        self.assertLess(stall_s, bound_s)

    def tell(self, text):
        print(f"{self._testMethodName}: {text}", flush=True)

    # --- the end

    def finish(self, *programs, codes=(0,)):
        """No more traffic; the processes come to rest and end, and the checker looks at all that there is."""
        self.traffic.stop()
        with Rest(self.bootstrap, self.installation) as rest:
            rest.wait_drained(programs)
            self.feed.close()
            rest.wait_drained(programs)
            rest.wait_swept(programs)
        self.stop(*programs, codes=codes)
        self.check()

    def stop(self, *programs, codes=(0,)):
        for program in programs:
            code, seconds = program.stop()
            self.assertIn(code, codes, program.last_log())
            self.assertLess(seconds, STOP_MAX_S)

    def check(self):
        self.watch.all()
        contents = read_contents(self.bootstrap, self.installation, self.follower.all())
        report = Checker(contents._replace(partitions=SHARDS), self.installation).run()
        self.tell(report.text())
        self.assertEqual([], report.faults, report.text())
        self.assertEqual([], self.undecided(self.traffic.sent_at))


class Processes(Moves):
    def test_a_process_joins_and_leaves_while_events_flow(self):
        first, second = self.make("host-a"), self.make("host-b")
        self.begin(first)
        self.go_on()
        joined = time.monotonic()
        second.start()
        self.wait_shared(first, second)
        self.go_on()
        self.assert_stall("one joins", joined)
        left = time.monotonic()
        self.stop(second)
        self.wait_shared(first)
        self.go_on()
        self.assert_stall("one leaves", left)
        self.assertRegex(second.last_log(), r"status worker=shard-0 .* blocks=[1-9]")
        self.assertRegex(second.last_log(), r"status worker=intake-0 .* records=[1-9]")
        self.finish(first)

    def test_a_process_that_slept_beyond_its_session_commits_nothing_stale_and_joins_again(self):
        awake, asleep = self.make("host-a"), self.make("host-b")
        self.begin(awake, asleep)
        self.go_on()
        slept = time.monotonic()
        asleep.process.send_signal(signal.SIGSTOP)
        self.addCleanup(asleep.process.send_signal, signal.SIGCONT)
        self.wait_shared(awake)
        self.wait_decided()
        self.assert_stall("one sleeps", slept, STALL_MAX_S + 10)
        woke = time.monotonic()
        asleep.process.send_signal(signal.SIGCONT)
        self.wait_shared(awake, asleep)
        self.go_on()
        self.assert_stall("it wakes", woke)
        self.finish(awake, asleep)

    @SLOW
    def test_a_shard_that_does_not_poll_for_too_long_loses_its_partitions_and_comes_back(self):
        self.let_sleep("shard")

    @SLOW
    def test_an_intake_that_does_not_poll_for_too_long_loses_its_partitions_and_comes_back(self):
        self.let_sleep("intake")

    def let_sleep(self, role):
        """The worker's thread, with a batch in hand, while the threads of its client live on."""
        settings = {"kafka.max.poll.interval.ms": 20_000, "transaction.timeout": "3s"}
        sleeper, other = self.make("host-a", settings), self.make("host-b", settings)
        self.begin(sleeper, other, nap_at=f"{role}.after_poll:30")
        wait_until(lambda: "lets it sleep" in sleeper.last_log(), JOIN_MAX_S, "it sleeps")
        slept = time.monotonic()
        self.go_on(NAP_S)
        self.wait_shared(sleeper, other)
        self.go_on()
        self.assert_stall(f"a worker of role {role} sleeps for {NAP_S} s", slept, STALL_MAX_S + NAP_S)
        self.assertRegex(sleeper.last_log(), "max.poll.interval|MAX_POLL_EXCEEDED")
        self.finish(sleeper, other)

    def test_a_restart_processes_again_within_seconds(self):
        program = self.make("host-a")
        self.begin(program)
        for how, end in (("SIGTERM", program.stop), ("kill -9", program.kill)):
            self.go_on()
            end()
            began = time.monotonic()
            program.start()
            took_s = self.first_decision_after(began) - began
            self.tell(f"{how}: decides again {took_s:.2f} s after the start")
            self.assertLess(took_s, RESTART_MAX_S)
        self.finish(program)

    def first_decision_after(self, began):
        """On a pulse that was written since then."""

        def seen():
            sent = list(self.traffic.sent_at.items())
            return [self.watch.seen_at[pulse] for pulse, at in sent if at > began and pulse in self.watch.seen_at]

        return min(wait_until(seen, JOIN_MAX_S, "a decision after the start"))

    def test_another_process_takes_over_what_a_killed_one_had(self):
        killed, other = self.make("host-a"), self.make("host-b")
        self.begin(killed, other)
        self.go_on()
        died = time.monotonic()
        killed.kill()
        self.wait_shared(other)
        self.go_on()
        self.assert_stall("takeover", died)
        self.finish(other)

    @SLOW
    def test_of_two_processes_under_one_instance_id_one_ends_and_says_why(self):
        first = self.make("host-a")
        self.begin(first)
        twin = self.make("host-a-twin", {"instance_id": "host-a"})
        began = time.monotonic()
        twin.start()
        pair = (first, twin)
        wait_until(lambda: not all(one.is_running() for one in pair), 120, "one of the two ends")
        self.tell(f"one ends after {time.monotonic() - began:.0f} s")
        (ended,) = [one for one in pair if not one.is_running()]
        (other,) = [one for one in pair if one is not ended]
        self.assertEqual(REFUSED, ended.process.returncode)
        self.assertIn("instance_id", ended.last_log())
        self.go_on(30)
        self.assertTrue(other.is_running(), other.last_log())
        self.finish(other)


class Topics(Moves):
    @SLOW
    def test_the_other_inputs_go_on_when_one_is_deleted(self):
        program = self.delete_an_input()
        self.finish(program, codes=(0, HUNG))

    @SLOW
    def test_it_ends_in_order_when_an_input_was_deleted(self):
        program = self.delete_an_input()
        self.finish(program)

    def delete_an_input(self):
        gone = f"mail.gone.{self.number}"
        self.admin.create(gone, 2)
        program = self.make("host-a", inputs={**self.inputs, gone: Input("native")})
        self.begin(program)
        received = {"kind": "received", "ts_ms": 1_600_000_000_000, "recipient": "a@example.com"}
        self.feed.record(gone, json.dumps(received).encode())
        self.go_on()
        deleted = time.monotonic()
        self.admin.delete(gone)
        self.go_on(10)
        self.assert_stall("an input is deleted", deleted)
        return program

    @SLOW
    def test_new_partitions_of_an_input_are_read(self):
        program = self.make("host-a")
        self.begin(program)
        grew = time.monotonic()
        self.admin.grow(self.mail, INPUT_PARTITIONS + 2)
        for partition in (INPUT_PARTITIONS, INPUT_PARTITIONS + 1):
            self.write_complaint(f"new-{partition}@example.com", partition)
        wanted = {f"new-{INPUT_PARTITIONS}@example.com", f"new-{INPUT_PARTITIONS + 1}@example.com"}
        wait_until(lambda: wanted <= self.watch.seen_at.keys(), JOIN_MAX_S, "the new partitions are read")
        self.tell(f"read after {time.monotonic() - grew:.1f} s")
        self.go_on()
        self.assert_stall("an input grows", grew)
        self.finish(program)

    @SLOW
    def test_partitions_that_an_input_got_while_the_process_restarted_are_read(self):
        program = self.make("host-a")
        self.begin(program)
        self.stop(program)
        self.admin.grow(self.mail, INPUT_PARTITIONS + 1)
        program.start()
        grew = time.monotonic()
        self.write_complaint("new@example.com", INPUT_PARTITIONS)
        wait_until(lambda: "new@example.com" in self.watch.seen_at, JOIN_MAX_S, "the new partition is read")
        self.tell(f"read after {time.monotonic() - grew:.1f} s")
        self.finish(program)

    def test_what_a_topic_refuses_is_a_dead_letter_and_the_rest_goes_on(self):
        """The limit of the events topic is lowered below what one record of the input becomes."""
        program = self.make("host-a")
        self.begin(program)
        self.go_on()
        self.admin.set(self.installation.events, max_message_bytes=str(SMALL_RECORD))
        noise = random.Random(SEED)  # or compression would make it small
        large = [{"kind": "bounced", "ts_ms": self.feed.newest_ms, "recipient": f"large{i}@example.com", "code": 550,
                  "text": noise.randbytes(200).hex()} for i in range(100)]  # fmt: skip
        refused = time.monotonic()
        offset = self.feed.record(self.mail, json.dumps(large).encode(), 1)
        self.go_on()
        self.assert_stall("a record is refused", refused)
        self.installation = self.installation._replace(dead={Place(self.mail, 1, offset, WHOLE): "too large"})
        (letter,) = topics.read(self.bootstrap, self.installation.dead_letters)
        self.assertEqual(large, json.loads(letter.value))
        self.finish(program)

    def write_complaint(self, recipient, partition):
        """By a producer that has not known the topic when it was smaller."""
        event = {"kind": "complaint", "ts_ms": self.feed.newest_ms, "recipient": recipient}
        producer = Producer(topics.client(self.bootstrap))
        producer.produce(self.mail, json.dumps(event).encode(), partition=partition)
        self.assertEqual(0, producer.flush(30))

    @SLOW
    def test_old_shards_go_on_when_events_grow_and_the_next_start_is_refused(self):
        self.grow_and_go_on(self.installation.events)
        self.assert_refuses(f"{self.installation.changelog}: partitions is {SHARDS}, must be {SHARDS + 2}")

    @SLOW
    def test_old_shards_go_on_when_the_changelog_grows_and_the_next_start_is_refused(self):
        self.grow_and_go_on(self.installation.changelog)
        self.assert_refuses(f"{self.installation.changelog}: partitions is {SHARDS + 2}, must be {SHARDS}")

    def test_a_start_is_refused_when_events_and_changelog_have_grown_alike(self):
        program = self.make("host-a")
        self.begin(program)
        self.finish(program)
        for topic in (self.installation.events, self.installation.changelog):
            self.admin.grow(topic, SHARDS + 2)
        self.assert_refuses(f"{SHARDS}", f"{SHARDS + 2}")

    def grow_and_go_on(self, topic):
        program = self.make("host-a")
        self.begin(program)
        grew = time.monotonic()
        self.admin.grow(topic, SHARDS + 2)
        self.go_on(10)
        self.assert_stall(f"{topic} grows", grew)
        self.finish(program)

    def assert_refuses(self, *words):
        (program,) = self.programs
        program.start()
        code = program.ends(10)
        self.assertEqual(REFUSED, code, program.last_log())
        for word in words:
            self.assertIn(word, program.last_log())


@SLOW
class Liveness(Moves):
    def test_events_flow_on_when_the_disk_of_state_and_log_is_full(self):
        disk = os.path.join(self.directory, "disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_DISK_KIB}k", "tmpfs", disk], check=False)
        if mounted.returncode != 0:
            self.skipTest("may not mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        program = self.make("host-a", {"state.directory": disk})
        program.log = os.path.join(disk, "log")
        self.begin(program)
        with open(os.path.join(disk, "ballast"), "wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(1024))
        full = time.monotonic()
        self.go_on()
        self.assert_stall("the disk is full", full)
        self.finish(program)

    def test_a_shard_that_waits_for_a_strangers_transaction_says_so(self):
        program = self.make("host-a")
        self.begin(program)
        program.kill()
        stranger = self.hold_offsets()
        program.start()
        began = time.monotonic()
        line = f"the committed offset of {self.installation.events}"
        wait_until(lambda: line in program.last_log(), SAYS_WITHIN_S, f"the log says: {line}")
        self.tell(f"said after {time.monotonic() - began:.1f} s")
        self.stop(program)
        self.assertIn('status worker=shard-0 is="waiting for a stable offset"', program.last_log())
        program.start()
        stranger.abort_transaction(30)
        self.wait_decided()
        self.finish(program)

    def hold_offsets(self):
        """A transaction with the offsets of all shards, left open: as of a process that died amid it."""
        group = {**topics.client(self.bootstrap), "group.id": self.application}
        with topics.Reader(self.bootstrap, group=self.application) as reader:
            wait_until(lambda: not topics.open_transactions(self.bootstrap, self.installation.changelog), 30,
                       "no transaction is open")  # fmt: skip
            committed = reader.committed(self.installation.events)
        stranger = Producer({**topics.client(self.bootstrap), "transactional.id": f"stranger-{self.number}",
                             "transaction.timeout.ms": STRANGER_TIMEOUT_MS})  # fmt: skip
        stranger.init_transactions(30)
        stranger.begin_transaction()
        wanted = [TopicPartition(self.installation.events, p, offset) for p, offset in committed.items()]
        member = Consumer(group)
        stranger.send_offsets_to_transaction(wanted, member.consumer_group_metadata(), 30)
        member.close()
        return stranger


@SLOW
class Brokers(Moves):
    nodes = 3
    feed_class = PlainFeed
    broker_properties = {"min.insync.replicas": "2"}

    def test_events_flow_on_when_a_broker_dies_and_comes_back(self):
        program = self.begin_one()
        for node in (1, 2, 3):
            self.kill_and_restart(program, node, f"broker {node} dies")
        self.finish(program)

    def test_events_flow_on_when_the_leader_of_the_transactions_dies(self):
        program = self.begin_one()
        for worker in ("shard-0", "intake-0"):
            topic, partition = "__transaction_state", self.transactions_of(program, worker)
            node = self.admin.client.list_topics(topic, 10).topics[topic].partitions[partition].leader
            self.kill_and_restart(program, node, f"leader of the transactions of {worker} dies (broker {node})")
        self.finish(program)

    def test_events_flow_on_when_all_brokers_are_restarted_in_turn(self):
        program = self.begin_one()
        for node in (1, 2, 3):
            began = time.monotonic()
            self.cluster.stop_node(node)
            self.cluster.start_node(node)
            self.wait_in_sync()
            self.go_on()
            self.assert_stall(f"broker {node} is restarted", began, BROKER_STALL_MAX_S)
        self.tell_troubles(program)
        self.finish(program)

    def begin_one(self):
        program = self.make("host-a")
        self.begin(program)
        self.wait_in_sync()
        self.go_on()
        return program

    def transactions_of(self, program, worker):
        """The partition of __transaction_state that has this worker's transactions."""
        topic = self.admin.client.list_topics("__transaction_state", 10).topics["__transaction_state"]
        return java_hash(f"{self.application}-{program.instance}-{worker}") % len(topic.partitions)

    def kill_and_restart(self, program, node, what):
        began = time.monotonic()
        self.cluster.kill(node)
        self.go_on()
        self.assertTrue(program.is_running(), program.last_log())
        self.cluster.start_node(node)
        self.wait_in_sync()
        self.go_on()
        self.assert_stall(what, began, BROKER_STALL_MAX_S)
        self.tell_troubles(program)

    def wait_in_sync(self):
        """All replicas are whole, so that the next broker may go."""
        wait_until(lambda: not self.lagging(), 60, lambda: f"in sync: {self.lagging()[:5]}")

    def lagging(self):
        metadata = self.admin.client.list_topics(timeout=10)
        return [f"{topic} [{one.id}]" for topic, about in metadata.topics.items() for one in about.partitions.values()
                if one.leader < 0 or len(one.isrs) < len(one.replicas)]  # fmt: skip

    def tell_troubles(self, program):
        log = program.last_log()
        counts = {word: log.count(word) for word in ("is taken back", "outcome of a commit is unknown", "starting anew")}
        self.tell(f"log lines since the start: {counts}")


if __name__ == "__main__":
    unittest.main()
