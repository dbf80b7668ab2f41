"""Prints what a topic of Kafka holds, a JSON object a record: `read_kafka.py BROKERS TOPIC`.

With `make` as a third word it makes the topic instead, with three partitions."""

import json
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def make(brokers, topic):
    client = AdminClient({"bootstrap.servers": brokers})
    client.create_topics([NewTopic(topic, 3, 1)])[topic].result(timeout=60)
    print("made")


def read(brokers, topic):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "unused", "enable.auto.commit": False})
    for partition in range(3):
        place = TopicPartition(topic, partition, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=60)
        consumer.assign([place])
        # Offsets may be missing among those below the end.
        while end > 0 and consumer.position([place])[0].offset < end:
            record = consumer.poll(30)
            if record is None:
                sys.exit("Kafka does not give what it has")
            if record.error():
                sys.exit(str(record.error()))
            headers = {name: value.decode() for name, value in record.headers() or []}
            print(json.dumps({"key": record.key().decode(), "headers": headers, "body": record.value().decode()}))


if __name__ == "__main__":
    brokers, topic, *rest = sys.argv[1:]
    make(brokers, topic) if rest == ["make"] else read(brokers, topic)
