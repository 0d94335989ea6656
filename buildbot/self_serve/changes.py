"""What schedulers make of changes that jobs told of: each what it makes of a push, once."""

import collections
from types import SimpleNamespace

import sqlalchemy
from buildbot.schedulers import base
from twisted.internet import defer

from .names import BROUGHT, PIECE
from .sets import build_once, last_made

#: How many changes a scheduler remembers to have taken. Of older ones the database is asked.
TAKEN_MAX = 100


class Taken:
    """Which changes that jobs told of a scheduler has taken, since it was started."""

    def __init__(self):
        self.turn = defer.DeferredLock()
        self.changes = collections.deque(maxlen=TAKEN_MAX)


def repair_changes():
    """Lets each scheduler take a change that a job told of once, whether it is told of it or it is brought to it.

    A master stores a change and then tells its schedulers. One that dies in between has the change, and nothing is ever built
    of it. So a change is brought to each scheduler before it counts as told of, and again where that is not known.
    """
    for name in ("BaseScheduler", "ReconfigurableBaseScheduler"):
        kind = getattr(base, name, None)
        take = getattr(kind, "_changeCallback", None)
        if take is not None and not getattr(take, "takes_once", False):
            kind._changeCallback = take_once(take)
            kind.addBuildsetForChanges = build_once(kind.addBuildsetForChanges)


def take_once(take):
    @defer.inlineCallbacks
    def change_callback(self, key, message, *how):
        if PIECE not in message.get("properties", {}):
            yield take(self, key, message, *how)
            return
        if not hasattr(self, "selfserve_taken"):
            self.selfserve_taken = Taken()
        yield self.selfserve_taken.turn.run(take_in_turn, self, take, key, message, how)

    change_callback.takes_once = True
    return change_callback


@defer.inlineCallbacks
def take_in_turn(scheduler, take, key, message, how):
    changes, changeid = scheduler.selfserve_taken.changes, message["changeid"]
    if changeid in changes:
        return
    is_taken = False
    if message.get(BROUGHT):
        is_taken = yield has_taken(scheduler, message)
    if not is_taken:
        yield take_to_the_end(scheduler, take, key, message, how)
    changes.append(changeid)


@defer.inlineCallbacks
def take_to_the_end(scheduler, take, key, message, how):
    """Has a scheduler take a change, waits for what it makes of it, and fails where that does, which Buildbot only logs."""
    if scheduler._change_consumer is None:
        raise RuntimeError(f"the scheduler {scheduler.name} is being stopped")
    failed = []
    got = scheduler.gotChange

    @defer.inlineCallbacks
    def got_change(change, important):
        if scheduler._change_consumer is None and change.number == message["changeid"]:
            failed.append(RuntimeError("it is being stopped"))
            return
        try:
            yield got(change, important)
        except Exception as error:
            if change.number == message["changeid"]:
                failed.append(error)
            raise

    before = vars(scheduler).get("gotChange")
    scheduler.gotChange = got_change
    try:
        yield take(scheduler, key, message, *how)
        yield scheduler._change_consumption_lock.run(lambda: None)
    finally:
        if before is None:
            del scheduler.gotChange
        else:
            scheduler.gotChange = before
    if failed:
        raise failed[0]


def has_taken(scheduler, change):
    """Whether a scheduler waits for its time to build a change, or has asked for what it builds of it. One that does not want
    it leaves no trace, and does not want it the next time either."""
    waits = scheduler.master.db.model.scheduler_changes
    waits = sqlalchemy.select(waits.c.changeid).where(
        waits.c.schedulerid == scheduler.serviceid, waits.c.changeid == change["changeid"]
    )

    # One that was noted by a scheduler that has been replaced since is waited for by nobody.
    is_timed = has_time(scheduler, change)

    def thd(conn):
        is_noted = is_timed and conn.execute(waits).fetchone() is not None
        return is_noted or last_made(scheduler, conn, [change["changeid"]]) is not None

    return scheduler.master.db.pool.do(thd)


def has_time(scheduler, change):
    """Whether a change is built when it is time: where a scheduler waits for quiet it is while that one's timer runs."""
    timers = getattr(scheduler, "_stable_timers", None)
    return timers is None or timers.get(scheduler.getTimerNameForChange(SimpleNamespace(**change))) is not None
