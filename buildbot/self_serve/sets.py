"""Buildsets that say which changes they are made of."""

import inspect
import json

import sqlalchemy
from buildbot.data.resultspec import Filter
from buildbot.process.properties import Properties
from twisted.internet import defer

from .names import MADE_OF, NAME, PIECE

#: Seconds by which a master's clock may have been put back since a change was told of.
CLOCK = 3600


def build_once(add):
    """Says of a buildset which changes that jobs told of it is made of. A scheduler that builds each change once makes none
    twice: a master that dies when it has made one, and has not noted it, would make it again."""
    signature = inspect.signature(add)

    @defer.inlineCallbacks
    def add_buildset_for_changes(self, *given, **named):
        asked = signature.bind(self, *given, **named)
        changes = yield changes_of(self.master, asked.arguments.get("changeids") or ())
        if not any(PIECE in change["properties"] for change in changes.values()):
            result = yield add(*asked.args, **asked.kwargs)
            return result
        if hasattr(self, "_stable_timers"):
            made = yield self.master.db.pool.do(lambda conn: last_made(self, conn, changes))
            # What came before the newest of a set is in it, or in one before.
            changes = {number: change for number, change in changes.items() if made is None or number > made[0]}
            if not changes:
                result = yield requests_of(self.master, made[1])
                return result
        properties = Properties()
        properties.updateFromProperties(asked.arguments.get("properties") or Properties())
        properties.updateFromProperties(properties_of(changes))
        asked.arguments.update(changeids=sorted(changes), properties=properties)
        result = yield add(*asked.args, **asked.kwargs)
        return result

    return add_buildset_for_changes


@defer.inlineCallbacks
def changes_of(master, changeids):
    changes = {}
    for changeid in changeids:
        change = yield master.data.get(("changes", str(changeid)))
        if change is not None:
            changes[changeid] = change
    return changes


@defer.inlineCallbacks
def requests_of(master, bsid):
    """A buildset and its requests, as making it answers."""
    requests = yield master.data.get(("buildrequests",), filters=[Filter("buildsetid", "eq", [bsid])])
    return bsid, {request["builderid"]: request["buildrequestid"] for request in requests}


def properties_of(changes):
    """What a buildset says of the changes that it is made of. Where a job told of the newest, it is whoever asked for that."""
    properties = Properties()
    newest = max(changes)
    for changeid, change in changes.items():
        piece = change["properties"].get(PIECE, ("",))[0]
        if piece or changeid == newest:
            properties.setProperty(f"{MADE_OF}{changeid}", piece, NAME)
    if PIECE in changes[newest]["properties"]:
        properties.setProperty("owner", changes[newest]["properties"].get("requester", ("",))[0], NAME)
    return properties


def last_made(scheduler, conn, changeids):
    """The newest of these changes of which a scheduler has made a buildset that says so, and that set; or nothing."""
    model = scheduler.master.db.model
    table, sets, changes = model.buildset_properties, model.buildsets, model.changes
    by = (table.c.property_name == "scheduler", table.c.property_value == json.dumps([scheduler.name, "Scheduler"]))
    for changeid in sorted(changeids, reverse=True):
        # The table has an index by set alone: those from before the change are passed over (by a clock that may be put back).
        when = sqlalchemy.select(changes.c.when_timestamp).where(changes.c.changeid == changeid)
        when = conn.execute(when).scalar() or 0
        first = sqlalchemy.select(sqlalchemy.func.min(sets.c.id)).where(sets.c.submitted_at >= when - CLOCK)
        first = conn.execute(first).scalar()
        if first is None:
            continue
        named = sqlalchemy.select(table.c.buildsetid).where(
            table.c.buildsetid >= first, table.c.property_name == f"{MADE_OF}{changeid}"
        )
        for row in conn.execute(named.order_by(table.c.buildsetid)).fetchall():
            is_its = sqlalchemy.select(table.c.buildsetid).where(table.c.buildsetid == row.buildsetid, *by)
            if conn.execute(is_its).fetchone():
                return changeid, row.buildsetid
    return None
