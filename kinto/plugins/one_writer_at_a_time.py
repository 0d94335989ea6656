"""Lets one transaction at a time write to a collection, from before it looks to after it has committed.

Kinto checks ``If-Match`` and ``If-None-Match`` by reading the record, and writes it in a later statement, with nothing
in between that keeps others out. On PostgreSQL (READ COMMITTED) two such writes can both pass the check, and the second
silently replaces the first: 4 writers adding their mark to one record under ``If-Match`` lost 9 to 12 of 20
acknowledged writes. Writers also meet in the unique index on ``last_modified``, which costs whole batches (409).

Here each writing request first takes PostgreSQL's advisory lock of its collection, which the end of its transaction
gives back. Readers take none. Switched on by ``kinto.includes = one_writer_at_a_time``, with this folder in PYTHONPATH.
"""

import re

from pyramid.events import NewRequest
from sqlalchemy import text

WRITES = frozenset(("PUT", "PATCH", "POST", "DELETE"))
COLLECTION = re.compile(r"^(?:/v\d+)?/buckets/([^/]+)/collections/([^/]+)")
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:collection, 0))")


def includeme(config):
    storage = config.get_settings().get("storage_backend", "")
    if storage != "kinto.core.storage.postgresql":
        raise ValueError(f"one_writer_at_a_time needs the PostgreSQL storage, not {storage!r}")
    # So that a client can see that its conditions hold (`buildhub doctor` looks for it).
    config.add_api_capability(
        "one_writer_at_a_time",
        description="Writing requests take their turn, collection by collection: If-Match and If-None-Match hold.",
    )
    # Requests inside a batch come by here too, and join the batch's transaction.
    config.add_subscriber(wait_for_the_others, NewRequest)


def wait_for_the_others(event):
    request = event.request
    match = COLLECTION.match(request.path)
    if request.method in WRITES and match:
        with request.registry.storage.client.connect() as session:
            session.execute(LOCK, {"collection": "/".join(match.groups())})
