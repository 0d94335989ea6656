"""What a Buildbot master needs to be steered by self-serve. Put this file beside master.cfg, and into it, at its end:

    from self_serve import self_serve
    self_serve(c, events="https://…/self-serve/events", user="events", password=…)

It adds a scheduler, `self-serve`, that starts each piece of a job once, however often it is asked to; reports builds as they
begin and end, where `events` is given; and mends what Buildbot does otherwise than self-serve promises:

- a request's priority can be changed, which Buildbot 4.1 to 4.3 cannot do;
- a request that is cancelled while its build is about to begin ends, which Buildbot leaves open for ever;
- a change that a job told of is taken by each scheduler once, also where the master dies before all of them have;
- what a job asked for is not collapsed into what is asked for later.

It runs on Buildbot 4.0 and newer. A newer file than the one that a master runs needs the master to be restarted. Who may use
the scheduler is the master's own `authz` to say; see README.md.
"""

import collections
import json

import sqlalchemy
from buildbot.data.resultspec import Filter
from buildbot.db.buildrequests import BuildRequestsConnectorComponent, NotClaimedError
from buildbot.plugins import reporters, schedulers, util
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest, TempSourceStamp
from buildbot.process.results import CANCELLED
from buildbot.reporters.generators.build import BuildStartEndStatusGenerator
from buildbot.schedulers import base
from buildbot.www.rest import JSONRPC_CODES, BadJsonRpc2
from twisted.internet import defer

#: What this file offers, by number: self-serve asks for it (the scheduler's label) and says what is missing. A higher one
#: offers what the lower ones do.
VERSION = 2

#: The scheduler's name.
NAME = "self-serve"

#: The property, and the buildset's external id, by which a piece of a job is found again.
PIECE = "selfserve_job"

#: By which it is said which request is made again.
AGAIN = "selfserve_again"

#: The longest JSON of a job's own properties, the files of a change among them. Self-serve refuses what is longer, by the
#: same number.
EXTRA_MAX = 65536


def self_serve(config, builders=None, events=None, user=None, password=None):
    """Adds all of it to `BuildmasterConfig`, for these builders (their names; all of them without it)."""
    repair_priority()
    repair_cancelling()
    repair_changes()
    repair_collapsing()
    names = builders or [_name(builder) for builder in config["builders"]]
    config.setdefault("schedulers", []).append(SelfServeScheduler(name=NAME, builderNames=list(names)))
    if events:
        config.setdefault("services", []).append(push(events, user, password))


def _name(builder):
    return builder["name"] if isinstance(builder, dict) else builder.name


def refusal(reason):
    """What cannot be done, now or later. All else that goes wrong counts as passing, and is asked for again."""
    return BadJsonRpc2(reason, JSONRPC_CODES["invalid_params"])


class SelfServeScheduler(schedulers.ForceScheduler):
    """Starts what self-serve asks for, once.

    Each call names the piece of the job that it is (`selfserve_job`). Where a buildset, or a change, of that piece is there,
    the call answers what the first one did. Calls are taken one after the other, so that two of one piece cannot both find
    nothing.
    """

    def __init__(self, name, builderNames, **kwargs):
        text = util.StringParameter
        super().__init__(
            name=name,
            builderNames=builderNames,
            label=f"self-serve {VERSION}",
            reason=text(name="reason", default="Self-serve", size=80),
            reasonString="%(reason)s",
            priority=util.IntParameter(name="priority", default=0),
            codebases=[util.CodebaseParameter(codebase="", hide=True)],
            properties=[
                text(name=PIECE, required=True, default=""),
                text(name="requester", default=""),
                # Properties of the build, a JSON object: a form's fields are declared, these are not.
                text(name="extra", default="{}", maxsize=EXTRA_MAX),
                # The number of a request that is made again: what is built is what it was, with all codebases and patches.
                text(name=AGAIN, default=""),
                # What a change has beside them, a JSON object; then schedulers decide what is built.
                text(name="change", default="", maxsize=EXTRA_MAX),
            ],
            **kwargs,
        )
        self._turn = defer.DeferredLock()

    @defer.inlineCallbacks
    def force(self, owner, builderNames=None, builderid=None, **kwargs):
        if not kwargs.get(PIECE):
            raise refusal(f"{PIECE} does not say which piece of a job it is")
        if kwargs.get("change"):
            result = yield self._change(owner, kwargs)
            return result
        if builderNames is None and builderid is None:
            # Buildbot would start all of them.
            raise refusal("neither builderNames nor builderid says what is to be built")
        names = yield self.computeBuilderNames(builderNames, builderid)
        if not names:
            raise refusal(f"the scheduler {NAME} has none of the builders {builderNames}: see its `builders`")
        result = yield self._turn.run(self._build, owner, names, kwargs)
        return result

    @defer.inlineCallbacks
    def _build(self, owner, names, kwargs):
        found = yield self._known(kwargs[PIECE], kwargs)
        if found is None:
            found = yield super().force(owner, builderNames=names, **kwargs)
        return found

    @defer.inlineCallbacks
    def _known(self, piece, asked):
        """The buildset of a piece and its requests, as starting it answers. One that somebody else asked for, or of something
        else, is none: then two stores count their jobs for this master, or one was made anew."""
        data = self.master.data
        sets = yield data.get(("buildsets",), filters=[Filter("external_idstring", "eq", [piece])])
        if not sets:
            return None
        first = min(sets, key=lambda known: known["bsid"])
        bsid = first["bsid"]
        properties = yield data.get(("buildsets", bsid, "properties"))
        requester = properties.get("requester", (None,))[0] or ""
        revisions = {stamp["revision"] or "" for stamp in first["sourcestamps"]}
        if requester != (asked.get("requester") or "") or (asked.get("revision") or "") not in revisions:
            of = ", ".join(sorted(revisions)) or "the newest"
            raise refusal(f"the piece {piece} is known here as another's: {requester} asked for {of}")
        requests = yield data.get(("buildrequests",), filters=[Filter("buildsetid", "eq", [bsid])])
        return bsid, {request["builderid"]: request["buildrequestid"] for request in requests}

    @defer.inlineCallbacks
    def _change(self, owner, kwargs):
        """Adds a change, and answers its number when each scheduler has made of it what it does."""
        for scheduler in self.master.allSchedulers():
            # Set while it is starting. Whoever is told of a change then is told nothing.
            if getattr(scheduler, "_startServiceDeferred", self) is not None:
                raise RuntimeError(f"the scheduler {scheduler.name} is not ready yet")
        changeid = yield self._turn.run(self._tell, owner, kwargs)
        change = yield self.master.data.get(("changes", str(changeid)))
        failed = []
        for scheduler in self.master.allSchedulers():
            consumer = getattr(scheduler, "_change_consumer", None)
            # One that has a way of its own of taking changes would take it twice.
            if consumer is None or not getattr(scheduler._changeCallback, "takes_once", False):
                continue
            try:
                yield consumer.callback(("changes", str(changeid), "new"), {**change, BROUGHT: True})
            except Exception as error:
                # It keeps no other from the change.
                failed.append(f"{scheduler.name}: {error!r}")
        if failed:
            raise RuntimeError(f"change {changeid} is not taken by all schedulers: {', '.join(failed)}")
        return changeid

    @defer.inlineCallbacks
    def _tell(self, owner, kwargs):
        """The number of the change of a piece, which is added where there is none."""
        piece, revision = kwargs[PIECE], kwargs.get("revision")
        known = yield self.master.data.get(("changes",), filters=[Filter("revision", "eq", [revision])])
        for change in known:
            if change["properties"].get(PIECE, (None,))[0] == piece:
                return change["changeid"]
        given = json.loads(kwargs["change"])
        properties = {PIECE: piece, "requester": kwargs.get("requester") or owner, **given.get("properties", {})}
        changeid = yield self.master.data.updates.addChange(
            files=given.get("files", []),
            comments=kwargs.get("reason", ""),
            author=kwargs.get("requester") or owner,
            revision=revision,
            branch=kwargs.get("branch"),
            repository=kwargs.get("repository", ""),
            project=kwargs.get("project", ""),
            revlink=given.get("revlink", ""),
            properties=properties,
        )
        return changeid

    @defer.inlineCallbacks
    def addBuildsetForSourceStampsWithDefaults(self, reason, sourcestamps=None, properties=None, **kwargs):
        """Lays a job's own properties over the form's, and makes the person who asked the build's owner."""
        piece = properties.getProperty(PIECE)
        requester = properties.getProperty("requester")
        again = properties.getProperty(AGAIN)
        for name, value in json.loads(properties.getProperty("extra") or "{}").items():
            properties.setProperty(name, value, NAME)
        if requester:
            properties.setProperty("owner", requester, NAME)
        for name in ("extra", "change", AGAIN):
            properties.properties.pop(name, None)
        asked = {"reason": reason, "properties": properties, "external_idstring": piece, **kwargs}
        if again:
            # Not with the defaults, which are of one codebase, and know no patches.
            stamps = yield self._sources(int(again))
            result = yield self.addBuildsetForSourceStamps(sourcestamps=stamps, **asked)
        else:
            result = yield super().addBuildsetForSourceStampsWithDefaults(sourcestamps=sourcestamps, **asked)
        return result

    @defer.inlineCallbacks
    def _sources(self, number):
        """What a request is built of, as a buildset is made of it. Not by number, for then the properties of a change of it
        would be laid over the job's."""
        request = yield self.master.data.get(("buildrequests", str(number)))
        if request is None:
            raise refusal(f"there is no request {number} to make again")
        buildset = yield self.master.data.get(("buildsets", str(request["buildsetid"])))
        return [TempSourceStamp(stamp).asDict() for stamp in buildset["sourcestamps"]]


def repair_priority():
    """Lets a request's priority be changed where Buildbot's own way ends in a TypeError, and refuses what is no number."""

    def set_build_requests_priority(self, brids, priority):
        number = int(priority)

        def thd(conn):
            transaction = conn.begin()
            table = self.db.model.buildrequests
            for batch in self.doBatch(brids, 100):
                open_ones = table.update().where(table.c.id.in_(batch), table.c.complete != 1)
                if conn.execute(open_ones.values(priority=number)).rowcount != len(batch):
                    transaction.rollback()
                    raise NotClaimedError
            transaction.commit()

        return self.db.pool.do(thd)

    BuildRequestsConnectorComponent.set_build_requests_priority = set_build_requests_priority


def repair_cancelling():
    """Ends a build that is stopped before it has begun.

    A request may be cancelled after it was claimed and before its build listens to who stops it. Buildbot notices, marks the
    build as stopped, and returns without ending it: request and build stay open, and the worker's place stays taken, until
    the master is started again.
    """
    begin = Build.startBuild
    if getattr(begin, "ends_what_is_stopped", False):
        # A master that reads its configuration again comes here again.
        return

    @defer.inlineCallbacks
    def start_build(self, workerforbuilder):
        result = yield begin(self, workerforbuilder)
        is_begun = getattr(self, "_preparation_step", None) is not None
        if self.stopped and not self.finished and not is_begun:
            yield self.buildFinished(["cancelled"], CANCELLED)
        return result

    start_build.ends_what_is_stopped = True
    Build.startBuild = start_build


#: In what a scheduler is told of a change: that it may have been told before.
BROUGHT = "selfserve_brought"

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


def take_once(take):
    @defer.inlineCallbacks
    def change_callback(self, key, message, *how):
        piece = message.get("properties", {}).get(PIECE)
        if piece is None:
            yield take(self, key, message, *how)
            return
        if not hasattr(self, "selfserve_taken"):
            self.selfserve_taken = Taken()
        yield self.selfserve_taken.turn.run(take_in_turn, self, take, key, message, piece[0], how)

    change_callback.takes_once = True
    return change_callback


@defer.inlineCallbacks
def take_in_turn(scheduler, take, key, message, piece, how):
    changes, changeid = scheduler.selfserve_taken.changes, message["changeid"]
    if changeid in changes:
        return
    is_taken = False
    if message.get(BROUGHT):
        is_taken = yield has_taken(scheduler, changeid, piece)
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
        try:
            yield got(change, important)
        except Exception as error:
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


def has_taken(scheduler, changeid, piece):
    """Whether a scheduler waits for its time to build a change, or has asked for what it builds of it. One that does not want
    it leaves no trace, and does not want it the next time either."""
    model = scheduler.master.db.model

    def thd(conn):
        waits = model.scheduler_changes
        waits = sqlalchemy.select(waits.c.changeid).where(
            waits.c.schedulerid == scheduler.serviceid, waits.c.changeid == changeid
        )
        if conn.execute(waits).fetchone():
            return True
        of, by = model.buildset_properties.alias(), model.buildset_properties.alias()
        built = sqlalchemy.select(of.c.buildsetid).where(
            of.c.buildsetid == by.c.buildsetid,
            of.c.property_name == PIECE,
            of.c.property_value == json.dumps([piece, "Change"]),
            by.c.property_name == "scheduler",
            by.c.property_value == json.dumps([scheduler.name, "Scheduler"]),
        )
        return conn.execute(built.limit(1)).fetchone() is not None

    return scheduler.master.db.pool.do(thd)


def repair_collapsing():
    """Keeps what a job asked for from being collapsed, and from ending what others wait for.

    Of requests that wait for the same thing Buildbot builds the newest one, unless it is told not to, and ends the others as
    skipped. Somebody who asks for three builds wants three; and who has an old push built again takes nobody's newer one away,
    though Buildbot counts both as the same, for it does not compare the revisions of what has changes.
    """
    can = BuildRequest.canBeCollapsed
    if getattr(can, "keeps_what_was_asked_for", False):
        return

    @defer.inlineCallbacks
    def can_be_collapsed(master, new_br, old_br):
        for request in (old_br, new_br):
            is_asked_for = yield has_piece(master, request["buildsetid"])
            if is_asked_for:
                return False
        result = yield can(master, new_br, old_br)
        return result

    can_be_collapsed.keeps_what_was_asked_for = True
    BuildRequest.canBeCollapsed = staticmethod(can_be_collapsed)


@defer.inlineCallbacks
def has_piece(master, bsid):
    """Whether a buildset is a piece of a job, or is made of a change that a job told of, and does not only follow from one."""
    properties = yield master.data.get(("buildsets", str(bsid), "properties"))
    name, source = properties.get(PIECE, (None, None))
    if name is None:
        return False
    buildset = yield master.data.get(("buildsets", str(bsid)))
    return source == "Change" or buildset["external_idstring"] == name


def push(url, user=None, password=None):
    """Reports each build as it begins and as it ends, with its properties."""
    formatter = reporters.MessageFormatterFunction(lambda context: context["build"], "json", want_properties=True)
    return reporters.HttpStatusPush(
        serverUrl=url,
        auth=(user, password) if user else None,
        generators=[BuildStartEndStatusGenerator(start_formatter=formatter, end_formatter=formatter)],
    )
