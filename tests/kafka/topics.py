# SPDX-License-Identifier: Apache-2.0
"""Reading topics as a follower does: committed data only, from the beginning to the end."""

import time
from typing import NamedTuple, Optional

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

READ_TIMEOUT_S = 60
ASK_TIMEOUT_S = 10


def client(bootstrap):
    """What every client of the tests is told. They say little: that a broker ends is no news."""
    return {"bootstrap.servers": bootstrap, "log_level": 2}


class Message(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: Optional[bytes]
    value: Optional[bytes]
    headers: dict

    @classmethod
    def of(cls, message):
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers() or []}
        return cls(message.topic(), message.partition(), message.offset(), message.key(), message.value(), headers)


class Reader:
    """A consumer outside of all groups' ways."""

    def __init__(self, bootstrap, isolation="read_committed", group="checker"):
        self.consumer = Consumer(
            {
                **client(bootstrap),
                "group.id": group,
                "isolation.level": isolation,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 20,
                "fetch.message.max.bytes": 16 * 1024 * 1024,
                "receive.message.max.bytes": 100 * 1024 * 1024,
            }
        )

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.consumer.close()

    def partitions(self, topic):
        return sorted(self.consumer.list_topics(topic, ASK_TIMEOUT_S).topics[topic].partitions)

    def ends(self, topic):
        """Partition -> first offset, end: the last stable offset, or the high watermark if uncommitted is read."""
        return {
            number: self.consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ASK_TIMEOUT_S)
            for number in self.partitions(topic)
        }

    def committed(self, topic):
        """Partition -> committed offset of the group, without those that have none."""
        asked = [TopicPartition(topic, number) for number in self.partitions(topic)]
        told = self.consumer.committed(asked, timeout=ASK_TIMEOUT_S)
        return {one.partition: one.offset for one in told if one.offset >= 0}

    def assign(self, topic, begin=None):
        """begin: partition -> offset; None: all of it, from the beginning. What was begun with."""
        begin = begin or dict.fromkeys(self.partitions(topic), OFFSET_BEGINNING)
        self.consumer.assign([TopicPartition(topic, number, offset) for number, offset in begin.items()])
        return begin

    def read(self, topic, begin=None):
        """All messages to the end, in the order of each partition. begin: partition -> offset; None: all."""
        waiting = set(self.assign(topic, begin))
        messages = []
        deadline = time.monotonic() + READ_TIMEOUT_S
        while waiting:
            for message in self.consumer.consume(2000, timeout=0.1):
                if message.error() is None:
                    messages.append(Message.of(message))
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    waiting.discard(message.partition())
                else:
                    raise RuntimeError(f"{topic}: {message.error()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}: partitions {sorted(waiting)} have no end after {READ_TIMEOUT_S} s")
        self.consumer.unassign()
        return messages


def read(bootstrap, topic, isolation="read_committed"):
    with Reader(bootstrap, isolation) as reader:
        return reader.read(topic)


def open_transactions(bootstrap, topic):
    """Partitions whose end is not stable."""
    with Reader(bootstrap) as committed, Reader(bootstrap, "read_uncommitted") as everything:
        stable, high = committed.ends(topic), everything.ends(topic)
    return [number for number in stable if stable[number][1] != high[number][1]]


def murmur2_partition(key, count):
    """Where Java's default partitioner puts a key."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = key[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return (h & 0x7FFFFFFF) % count
