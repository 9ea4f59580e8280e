# SPDX-License-Identifier: Apache-2.0
"""What the tests of the whole program share: its processes, the feed of its input, waiting.

Nothing here sleeps for luck: wait_until() asks until it holds or a deadline has passed. A process writes its
log to a file of its own, which is shown when a test fails. The program is SUPPRESSD, or build/dev/suppressd.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib
from collections import defaultdict

import formats
import layouts
import topics
import worlds
from broker import Cluster, die_with_parent
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "model"))

import random_stream  # noqa: E402

BUILD = os.path.join(HERE, "..", "..", "build", "dev")
if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]):
    BUILD = os.path.abspath(sys.argv.pop(1))  # as ctest gives it; what is left is unittest's
BINARY = os.environ.get("SUPPRESSD") or os.path.join(BUILD, "suppressd")
SHARDS = 4
STRANGERS = 60  # enough that each of few shards gets some
STOP_TIMEOUT_S = 10
DRAIN_TIMEOUT_S = 60
POLL_S = 0.05
LOG_LINES_SHOWN = 40


def wait_until(holds, timeout_s, what):
    """The first true answer of holds(); TimeoutError says what was waited for, and the last answer's words."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what() if callable(what) else what}")
        time.sleep(POLL_S)


# --- the program


class Suppressd:
    """One process of the installation, with its configuration file and its log."""

    def __init__(self, directory, bootstrap, instance, inputs, settings=None):
        self.directory = directory
        self.instance = instance
        self.config = os.path.join(directory, instance + ".yaml")
        self.log = os.path.join(directory, instance + ".log")
        self.process = None
        self.starts = 0
        self.write_config(bootstrap, inputs, settings or {})

    def write_config(self, bootstrap, inputs, settings):
        values = {
            "kafka.bootstrap.servers": bootstrap,
            "instance_id": self.instance,
            "topics.partitions": SHARDS,
            "state.directory": os.path.join(self.directory, self.instance),
            "state.secret_file": os.path.join(self.directory, "secret"),
            "session.timeout": "6s",
            "transaction.timeout": "10s",
            **settings,
        }
        lines = ["input:"]
        lines += [f"  {topic}: {{format: {one.format}, commands: {str(one.commands).lower()}}}"
                  for topic, one in inputs.items()]  # fmt: skip
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines + yaml_lines(values)) + "\n")

    def command(self, *words):
        """Runs a command of the program to its end: its exit code, and all that it said."""
        run = subprocess.run([BINARY, *words, "-c", self.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=60, check=False, preexec_fn=die_with_parent)  # fmt: skip
        return run.returncode, run.stdout

    def create_topics(self):
        """Asks until they are there: that the first answer says so is a test of its own, in test_refusals.py."""
        answers = []

        def are_created():
            answers.append(self.command("topics", "--create"))
            return answers[-1][0] == 0

        wait_until(are_created, 20, lambda: f"topics are created: {answers[-1]}")

    def start(self, **harm):
        """harm: what consumer/test_points.h reads in the environment, as in crash_at="shard.after_flush"."""
        self.starts += 1
        harm = {"SUPPRESSD_" + name.upper(): value for name, value in harm.items()}
        with open(self.log, "ab") as log:
            log.write(f"--- start {self.starts} {harm or ''}\n".encode())
            log.flush()
            self.process = subprocess.Popen([BINARY, "run", "-c", self.config], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.directory, preexec_fn=die_with_parent,
                                            env={**os.environ, **harm})  # fmt: skip

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s=STOP_TIMEOUT_S):
        """SIGTERM; the exit code, and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s), time.monotonic() - began

    def ends(self, timeout_s=30):
        """Waits until it has ended by itself; the exit code."""
        return self.process.wait(timeout_s)

    def log_text(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        return ""

    def last_log(self):
        """Since the last start."""
        return self.log_text().rpartition("--- start ")[2]


def yaml_lines(values):
    """Dotted keys as nested YAML."""
    groups = defaultdict(dict)
    for name, value in values.items():
        group, dot, rest = name.partition(".")
        if dot:
            groups[group][rest] = value
        else:
            groups[group] = value
    lines = []
    for group, inner in groups.items():
        if isinstance(inner, dict):
            lines += [f"{group}:", *(f"  {name}: {value}" for name, value in inner.items())]
        else:
            lines.append(f"{group}: {inner}")
    return lines


# --- the input


class Feed:
    """Writes events as a mail platform does: records of one or many events, in transactions or without.

    All events of a recipient go to one partition in order, so the order per key is the input's. Between the
    committed transactions stand aborted ones with words that would change every decision, if they were read.
    """

    def __init__(self, bootstrap, inputs, seed):
        self.inputs = inputs
        self.chance = random.Random(seed)
        self.partitions = partition_counts(bootstrap, inputs)
        self.plain = Producer({**topics.client(bootstrap), "linger.ms": 5, "message.max.bytes": 8_000_000,
                               "enable.idempotence": True, "compression.type": "lz4"})  # fmt: skip
        self.upstream = Producer({**topics.client(bootstrap), "linger.ms": 5,
                                  "transactional.id": f"upstream-{seed}"})  # fmt: skip
        self.upstream.init_transactions(30)
        self.sent = 0
        self.aborted = 0
        self.newest_ms = 0
        self.failures = []

    def source_of(self, event):
        """The topic and the partition of all events of a recipient."""
        number = zlib.crc32(event["recipient"].encode())
        wanted = "kumomta" if number % 5 == 0 and self._topics_of("kumomta") else "native"
        topic = self._topics_of(wanted)[0]
        return topic, number // 5 % self.partitions[topic]

    def _topics_of(self, name):
        return [topic for topic, one in self.inputs.items() if one.format == name]

    def takes(self, event):
        """A recipient of whom KumoMTA tells has only events that KumoMTA has words for."""
        topic, _partition = self.source_of(event)
        return self.inputs[topic].format != "kumomta" or formats.fits_kumomta(event)

    def send(self, events):
        """One batch, in a transaction or without."""
        events = [event for event in events if self.takes(event)]
        if self.chance.random() < 0.3:
            self._abort_decoys(events)
        if self.chance.random() < 0.5:
            self.upstream.begin_transaction()
            self._produce(self.upstream, events)
            self.upstream.commit_transaction(30)
        else:
            self._produce(self.plain, events)
            if self.plain.flush(30) > 0:
                raise TimeoutError("the feed's records were not taken")
        if self.failures:
            raise RuntimeError(f"the feed's records were refused: {self.failures[0]}")
        self.sent += len(events)
        self.newest_ms = max([self.newest_ms, *(event["ts_ms"] for event in events)])

    def close(self):
        """Deliveries to strangers move the time of every shard on, so that its sweep looks at all it holds."""
        now_ms = self.newest_ms + 1
        names = (f"stranger{number}@example.com" for number in range(STRANGERS))
        self.send([{"kind": "delivered", "ts_ms": now_ms, "recipient": name} for name in names])

    def record(self, topic, value, partition=0, key=None):
        """One record as it is; its offset."""
        offsets = []
        self.plain.produce(topic, value, key, partition,
                           on_delivery=lambda error, message: offsets.append(error or message.offset()))  # fmt: skip
        self.plain.flush(30)
        if not offsets or not isinstance(offsets[0], int):
            raise RuntimeError(f"{topic}: {offsets}")
        return offsets[0]

    def _abort_decoys(self, events):
        decoys = [{**event, "kind": "complaint", "origin": "remote"} for event in events
                  if self.inputs[self.source_of(event)[0]].format == "native"]  # fmt: skip
        self.upstream.begin_transaction()
        self._produce(self.upstream, decoys)
        self.upstream.flush(30)
        self.upstream.abort_transaction(30)
        self.aborted += len(decoys)

    def _produce(self, producer, events):
        by_source = defaultdict(list)
        for event in events:
            by_source[self.source_of(event)].append(event)
        for (topic, partition), own in by_source.items():
            if self.inputs[topic].format == "kumomta":
                own = [formats.kumomta_record(event) for event in own]
            while own:
                count = self.chance.choice((1, 1, 1, 2, 5, 12))
                encode = self.chance.choice((formats.encode_ndjson, formats.encode_array))
                group, own = own[:count], own[count:]
                value = formats.encode_one(group) if len(group) == 1 else encode(group)
                producer.produce(topic, value, partition=partition, on_delivery=self._note)
            producer.poll(0)

    def _note(self, error, _message):
        if error is not None and "Purged" not in error.str():
            self.failures.append(error)


def stream(seed, count, keys):
    """Events in the order of their time, but for less than an hour."""
    return random_stream.orderly(random_stream.events(seed, count, keys), seed)


def batches(events, size):
    return [events[i : i + size] for i in range(0, len(events), size)]


# --- topics


def partition_counts(bootstrap, names):
    with topics.Reader(bootstrap) as reader:
        return {name: len(reader.partitions(name)) for name in names}


class Admin:
    def __init__(self, bootstrap):
        self.client = AdminClient(topics.client(bootstrap))

    def create(self, name, partitions, **config):
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self._done(self.client.create_topics([NewTopic(name, partitions, -1, config=settings)]))
        wait_until(lambda: self._count(name) == partitions, 20, f"topic {name} is there")

    def grow(self, name, partitions):
        self._done(self.client.create_partitions([NewPartitions(name, partitions)]))
        wait_until(lambda: self._count(name) == partitions, 20, f"topic {name} has {partitions} partitions")

    def delete(self, name):
        self._done(self.client.delete_topics([name]))
        wait_until(lambda: self._count(name) is None, 20, f"topic {name} is gone")

    def settings(self, name):
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        (future,) = self.client.describe_configs([resource]).values()
        return {key: entry.value for key, entry in future.result(20).items()}

    def set(self, name, **config):
        """Changes settings, and leaves the others that are the topic's own as they are."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        (future,) = self.client.describe_configs([resource]).values()
        own = {key: entry.value for key, entry in future.result(20).items() if not entry.is_default}
        own = {key: value for key, value in own.items() if value is not None}
        own.update({key.replace("_", "."): value for key, value in config.items()})
        self._done(self.client.alter_configs([ConfigResource(ConfigResource.Type.TOPIC, name, set_config=own)]))
        wait_until(lambda: own.items() <= self.settings(name).items(), 20, f"{name} has {own}")

    def _count(self, name):
        topic = self.client.list_topics(timeout=10).topics.get(name)
        return None if topic is None or topic.error else len(topic.partitions)

    @staticmethod
    def _done(futures):
        for future in futures.values():
            future.result(20)


class Follower:
    """Keeps what stands in a topic, also once its owner deletes it."""

    def __init__(self, bootstrap, topic):
        self.bootstrap = bootstrap
        self.reader = topics.Reader(bootstrap)
        self.reader.assign(topic)
        self.topic = topic
        self.messages = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self):
        while not self.stopping.is_set():
            for message in self.reader.consumer.consume(1000, timeout=0.2):
                if message.error() is None:
                    self.messages.append(topics.Message.of(message))

    def all(self):
        """Stops, once everything is read that stands there."""
        ends = next_offsets(topics.read(self.bootstrap, self.topic))
        wait_until(lambda: self._has(ends), 30, f"{self.topic} is followed")
        self.stopping.set()
        self.thread.join()
        self.reader.consumer.close()
        return sorted(self.messages, key=lambda message: (message.partition, message.offset))

    def _has(self, ends):
        have = next_offsets(list(self.messages))
        return all(have.get(partition, 0) >= end for partition, end in ends.items())


def next_offsets(messages):
    return {message.partition: message.offset + 1 for message in messages}


# --- has it come to rest?


class Rest:
    """Asks whether all input was taken, all events applied, and the sweep has done what is due."""

    def __init__(self, bootstrap, installation):
        self.installation = installation
        self.intake = topics.Reader(bootstrap, group=installation.intake_group)
        self.shards = topics.Reader(bootstrap, group=installation.application)
        self.missing = "not asked yet"

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.intake.consumer.close()
        self.shards.consumer.close()

    def wait_drained(self, programs):
        self._wait(self._data_left, programs)

    def wait_swept(self, programs):
        self._wait(lambda: overdue(self.shards.read(self.installation.changelog)), programs)

    def _wait(self, left, programs):
        wait_until(lambda: self._reached(left, programs), DRAIN_TIMEOUT_S, lambda: f"at rest; {self.missing}")

    def _reached(self, left, programs):
        ended = [program.instance for program in programs if not program.is_running()]
        if ended:
            raise RuntimeError(f"ended by themselves: {ended}")
        try:
            self.missing = left()
        except KafkaException as error:  # a transaction is open: its offsets are not told
            self.missing = str(error)
        return not self.missing

    def _data_left(self):
        left = [data_left(self.intake, topic) for topic in self.installation.inputs]
        return next(filter(None, left), None) or data_left(self.shards, self.installation.events)


def data_left(reader, topic):
    """Data behind the group's offset; control records and aborted data, which also stand there, are none."""
    committed = reader.committed(topic)
    ends = reader.ends(topic)
    at = {partition: max(begin, committed.get(partition, begin)) for partition, (begin, _end) in ends.items()}
    behind = {partition: offset for partition, offset in at.items() if offset < ends[partition][1]}
    left = reader.read(topic, behind) if behind else []
    return f"{topic}: {len(left)} records are not taken, the first: {left[0][1:3]}" if left else None


def overdue(changelog):
    """What the sweep must still release or drop, by the newest event that each shard tells of."""
    newest_ms, records = {}, {}
    for message in changelog:
        if message.key == layouts.PROGRESS_KEY:
            newest_ms[message.partition] = layouts.read_progress(message.value).newest_event_ms
        else:
            records[message.partition, message.key] = message.value
    due = [key.hex() for (partition, key), value in records.items()
           if value is not None and is_due(layouts.read_record(value), newest_ms.get(partition, 0))]  # fmt: skip
    return f"due for the sweep: {due}" if due else None


def is_due(record, newest_ms):
    if record.mailbox:
        return record.mailbox.end_ms is not None and record.mailbox.end_ms <= newest_ms - worlds.LAPSE_AFTER_MS
    is_over = record.wish.kind is None and newest_ms - worlds.DROP_AFTER_MS - record.touched_ms >= worlds.policy.M
    return is_over and record.seq <= newest_ms - worlds.policy.M


# --- a test of the whole


class EndToEnd(unittest.TestCase):
    """A broker for the class, a directory for each test; every process ends with it, its log shown on failure."""

    nodes = 1
    broker_properties = {}
    longMessage = True

    @classmethod
    def setUpClass(cls):
        if not os.access(BINARY, os.X_OK):
            raise FileNotFoundError(f"{BINARY}: build it, or say where it is in SUPPRESSD")
        cls.cluster = Cluster(cls.nodes, cls.broker_properties)
        cls.cluster.start()
        cls.addClassCleanup(cls.cluster.stop)
        cls.bootstrap = cls.cluster.bootstrap
        cls.admin = Admin(cls.bootstrap)

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="suppressd-e2e-")
        self.programs = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for program in self.programs:
            if program.is_running():
                program.kill()
        if self.has_failed():
            self.show_logs()
        elif not os.environ.get("KAFKA_TEST_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def has_failed(self):
        result = self._outcome.result
        return self in [test for test, _text in (*result.errors, *result.failures)]

    def show_logs(self):
        for program in self.programs:
            lines = program.log_text().splitlines()
            head = f"--- {program.log}, the last of {len(lines)} lines"
            print(head, *lines[-LOG_LINES_SHOWN:], sep="\n", file=sys.stderr)

    def program(self, instance, inputs, settings=None):
        program = Suppressd(self.directory, self.bootstrap, instance, inputs, settings)
        self.programs.append(program)
        return program
