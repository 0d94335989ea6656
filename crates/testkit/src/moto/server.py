"""moto's server, in which a conditional write is one step, as it is in Amazon S3.

moto compares in one statement and writes in a later one, each request in a thread of its own, so that two writes may pass
the same check. Here they wait for one another. So do a queue's receivers and deleters: a message that one deletes while
another receives it is in flight for ever there, and all of its group wait for it. (A receiver that waits for messages would
keep all others waiting: none here does.)

And messages that nobody answered are nobody's again all at once, as they are in Amazon SQS. moto finds that out one message
at a time, and hands out the second of a group before the first.
"""

import functools
import sys
import threading

from moto.s3.responses import S3Response
from moto.server import main
from moto.sqs.models import Queue, SQSBackend

WRITES = threading.RLock()


def alone(write):
    @functools.wraps(write)
    def writing(*arguments, **named):
        with WRITES:
            return write(*arguments, **named)

    return writing


for name in ["put_object", "delete_object", "_key_response_post"]:
    setattr(S3Response, name, alone(getattr(S3Response, name)))

for name in [
    "send_message",
    "send_message_batch",
    "receive_message",
    "delete_message",
    "delete_message_batch",
    "change_message_visibility",
    "get_queue_attributes",
]:
    setattr(SQSBackend, name, alone(getattr(SQSBackend, name)))


def messages(queue):
    """Those that can be received: nobody has them, or whoever had them was too slow."""
    found = [message for message in queue._messages if message.visible and not message.delayed]
    queue.pending_messages.difference_update(found)
    return found


Queue.messages = property(messages)

sys.exit(main())
