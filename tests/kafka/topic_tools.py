# SPDX-License-Identifier: Apache-2.0
"""What the tests on a broker do with topics: create, feed numbers, read what is committed."""

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def create_topics(kafka, partitions, *names):
    """With as many replicas as there are nodes."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.create_topics([NewTopic(name, partitions, kafka.nodes) for name in names]).values():
        future.result(10)


def feed(kafka, topic, count):
    """The numbers from 0 to count - 1, each as key and value."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True,
                         "queue.buffering.max.messages": max(count, 1000)})
    for i in range(count):
        producer.produce(topic, b"%d" % i, b"%d" % i)
    assert producer.flush(30) == 0


def read_committed(kafka, topic, partitions=1):
    """The numbers in the topic that a reader of committed data sees, in the order of each partition."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "check", "enable.partition.eof": True,
                         "isolation.level": "read_committed", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    values, ended = [], 0
    while ended < partitions:
        message = consumer.poll(30)
        assert message is not None, "no end of " + topic
        if message.error():
            ended += 1
        else:
            values.append(int(message.value()))
    consumer.close()
    return values
