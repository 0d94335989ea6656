# What twistd runs: the worker of the master beside it.
import os

from buildbot_worker.bot import Worker
from twisted.application import service

application = service.Application("worker")
port = int(os.environ["WORKER_PORT"])
Worker("127.0.0.1", port, "worker", "pass", os.path.abspath("."), 600, maxRetries=None).setServiceParent(application)
