"""moto's server, in which a conditional write is one step, as it is in Amazon S3.

moto compares in one statement and writes in a later one, each request in a thread of its own, so that two writes may pass
the same check. Here they wait for one another. So do a queue's receivers and deleters: a message that one deletes while
another receives it is in flight for ever there, and all of its group wait for it. (A receiver that waits for messages would
keep all others waiting: none here does.)
"""

import functools
import sys
import threading

from moto.s3.responses import S3Response
from moto.server import main
from moto.sqs.models import SQSBackend

WRITES = threading.RLock()


def alone(write):
    @functools.wraps(write)
    def writing(*arguments, **named):
        with WRITES:
            return write(*arguments, **named)

    return writing


for name in ["put_object", "delete_object", "_key_response_post"]:
    setattr(S3Response, name, alone(getattr(S3Response, name)))

for name in ["send_message", "send_message_batch", "receive_message", "delete_message", "delete_message_batch"]:
    setattr(SQSBackend, name, alone(getattr(SQSBackend, name)))

sys.exit(main())
