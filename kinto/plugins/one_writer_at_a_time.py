"""Lets one transaction at a time write to a collection, from before it looks to after it has committed.

Kinto checks ``If-Match`` and ``If-None-Match`` by reading the record, and writes it in a later statement, with nothing
in between that keeps others out. On PostgreSQL (READ COMMITTED) two such writes can both pass the check, and the second
silently replaces the first: 4 writers adding their mark to one record under ``If-Match`` lost 9 to 12 of 20
acknowledged writes. Writers also meet in the unique index on ``last_modified``, which costs whole batches (409).

Here each writing request first takes PostgreSQL's advisory lock of its collection, which the end of its transaction
gives back. Readers take none. Where history is kept, its entries are in one list for the whole bucket, so that writers of
two collections would meet in it: then the lock is the bucket's.

Who has waited for ``one_writer_at_a_time.wait_seconds`` (20) is answered 503 with ``Retry-After``, so that a crowd of
writers does not keep all threads from the readers for ever.

Switched on by ``kinto.includes = one_writer_at_a_time``, with this folder in PYTHONPATH.
"""

import re

import transaction
from pyramid.events import NewRequest
from pyramid.settings import aslist
from sqlalchemy import text

WRITES = frozenset(("PUT", "PATCH", "POST", "DELETE"))
PLACE = re.compile(r"^(?:/v\d+)?(/buckets/[^/]+)(/collections/[^/]+)?")
# From left to right, in one exchange with the server; the limit is for this lock alone.
LOCK = text(
    "SELECT set_config('lock_timeout', :wait, true),"
    " pg_advisory_xact_lock(hashtextextended(:place, 0)),"
    " set_config('lock_timeout', '0', true)"
)


def includeme(config):
    settings = config.get_settings()
    storage = settings.get("storage_backend", "")
    if storage != "kinto.core.storage.postgresql":
        raise ValueError(f"one_writer_at_a_time needs the PostgreSQL storage, not {storage!r}")
    # So that a client can see that its conditions hold (`buildhub doctor` looks for it).
    config.add_api_capability(
        "one_writer_at_a_time",
        description="Writing requests take their turn, collection by collection: If-Match and If-None-Match hold.",
    )
    turns = Turns(settings)
    # Requests inside a batch come by here too, and join the batch's transaction.
    config.add_subscriber(turns.wait_for_the_others, NewRequest)


class Turns:
    def __init__(self, settings):
        self.wait = f"{float(settings.get('one_writer_at_a_time.wait_seconds', 20)):g}s"
        self.history = "kinto.plugins.history" in aslist(settings.get("includes", ""))
        self.without_history = frozenset(aslist(settings.get("history.exclude_resources", "")))

    def place(self, path):
        """What a writing request to this path must have for itself; nothing for one to no bucket."""
        match = PLACE.match(path)
        if not match:
            return None
        bucket, collection = match[1], match[1] + (match[2] or "")
        if self.history and not {bucket, collection} & self.without_history:
            return bucket
        return collection if match[2] else None

    def wait_for_the_others(self, event):
        request = event.request
        place = self.place(request.path) if request.method in WRITES else None
        if place is None:
            return
        # A lock is kept to the transaction's end: the hundredth request of a batch need not ask for it again.
        held = places_held_by(transaction.get())
        if place in held:
            return
        with request.registry.storage.client.connect() as session:
            session.execute(LOCK, {"place": place, "wait": self.wait})
        held.add(place)


def places_held_by(current):
    try:
        return current.data(Turns)
    except KeyError:
        current.set_data(Turns, set())
        return current.data(Turns)
