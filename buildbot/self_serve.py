"""What a Buildbot master needs to be steered by self-serve. Put this file beside master.cfg, and into it, at its end:

    from self_serve import self_serve
    self_serve(c, events="https://…/self-serve/events", user="events", password=…)

It adds a scheduler, `self-serve`, that starts each piece of a job once, however often it is asked to; reports builds as they
begin and end, where `events` is given; and repairs two things: the change of a request's priority, which Buildbot 4.1 to 4.3
cannot do, and the end of a request that is cancelled while its build is about to begin, which Buildbot leaves open for ever.

It runs on Buildbot 4.0 and newer. Who may use the scheduler is the master's own `authz` to say; see README.md.
"""

import json

from buildbot.data.resultspec import Filter
from buildbot.db.buildrequests import BuildRequestsConnectorComponent, NotClaimedError
from buildbot.plugins import reporters, schedulers, util
from buildbot.process.build import Build
from buildbot.process.results import CANCELLED
from buildbot.reporters.generators.build import BuildStartEndStatusGenerator
from twisted.internet import defer

#: What this file offers, by number: self-serve asks for it (the scheduler's label) and says what is missing.
VERSION = 1

#: The scheduler's name.
NAME = "self-serve"

#: The property, and the buildset's external id, by which a piece of a job is found again.
PIECE = "selfserve_job"


def self_serve(config, builders=None, events=None, user=None, password=None):
    """Adds all of it to `BuildmasterConfig`, for these builders (their names; all of them without it)."""
    repair_priority()
    repair_cancelling()
    names = builders or [_name(builder) for builder in config["builders"]]
    config.setdefault("schedulers", []).append(SelfServeScheduler(name=NAME, builderNames=list(names)))
    if events:
        config.setdefault("services", []).append(push(events, user, password))


def _name(builder):
    return builder["name"] if isinstance(builder, dict) else builder.name


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
                text(name="extra", default="{}", maxsize=65536),
                # What a change has beside them, a JSON object; then schedulers decide what is built.
                text(name="change", default="", maxsize=65536),
            ],
            **kwargs,
        )
        self._turn = defer.DeferredLock()

    @defer.inlineCallbacks
    def force(self, owner, builderNames=None, builderid=None, **kwargs):
        if not kwargs.get("change") and builderNames is None and builderid is None:
            # Buildbot would start all of them.
            raise ValueError("neither builderNames nor builderid says what is to be built")
        yield self._turn.acquire()
        try:
            if kwargs.get("change"):
                result = yield self._change(owner, kwargs)
            else:
                result = yield self._build(owner, builderNames, builderid, kwargs)
        finally:
            self._turn.release()
        return result

    @defer.inlineCallbacks
    def _build(self, owner, names, builderid, kwargs):
        found = yield self._known(kwargs[PIECE], kwargs)
        if found is None:
            found = yield super().force(owner, builderNames=names, builderid=builderid, **kwargs)
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
        stamps = first["sourcestamps"] or [{}]
        there = (requester, stamps[0].get("revision") or "")
        if there != (asked.get("requester") or "", asked.get("revision") or ""):
            raise ValueError(f"the piece {piece} is known here as another's: {requester} asked for {there[1] or 'the newest'}")
        requests = yield data.get(("buildrequests",), filters=[Filter("buildsetid", "eq", [bsid])])
        return bsid, {request["builderid"]: request["buildrequestid"] for request in requests}

    @defer.inlineCallbacks
    def _change(self, owner, kwargs):
        """Adds a change, and answers its number."""
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
        for name, value in json.loads(properties.getProperty("extra") or "{}").items():
            properties.setProperty(name, value, NAME)
        if requester:
            properties.setProperty("owner", requester, NAME)
        for name in ("extra", "change"):
            properties.properties.pop(name, None)
        result = yield super().addBuildsetForSourceStampsWithDefaults(
            reason=reason, sourcestamps=sourcestamps, properties=properties, external_idstring=piece, **kwargs
        )
        return result


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


def push(url, user=None, password=None):
    """Reports each build as it begins and as it ends, with its properties."""
    formatter = reporters.MessageFormatterFunction(lambda context: context["build"], "json", want_properties=True)
    return reporters.HttpStatusPush(
        serverUrl=url,
        auth=(user, password) if user else None,
        generators=[BuildStartEndStatusGenerator(start_formatter=formatter, end_formatter=formatter)],
    )
