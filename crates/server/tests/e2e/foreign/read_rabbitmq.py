"""Takes what a queue of RabbitMQ holds, and prints it, a JSON object a message:
`read_rabbitmq.py URL QUEUE`."""

import json
import sys

import pika

channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
channel.queue_declare(sys.argv[2], passive=True)
while True:
    method, properties, body = channel.basic_get(sys.argv[2], auto_ack=True)
    if method is None:
        break
    print(
        json.dumps(
            {
                "routing_key": method.routing_key,
                "content_type": properties.content_type,
                "delivery_mode": properties.delivery_mode,
                "message_id": properties.message_id,
                "headers": properties.headers or {},
                "body": body.decode(),
            }
        )
    )
