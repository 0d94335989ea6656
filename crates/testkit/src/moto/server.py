"""moto's server, in which a conditional write is one step, as it is in Amazon S3.

moto compares in one statement and writes in a later one, each request in a thread of its own, so that two writes may pass
the same check. Here they wait for one another.
"""

import functools
import sys
import threading

from moto.s3.responses import S3Response
from moto.server import main

WRITES = threading.RLock()


def alone(write):
    @functools.wraps(write)
    def writing(*arguments, **named):
        with WRITES:
            return write(*arguments, **named)

    return writing


for name in ["put_object", "delete_object", "_key_response_post"]:
    setattr(S3Response, name, alone(getattr(S3Response, name)))

sys.exit(main())
