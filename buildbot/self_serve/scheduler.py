"""The scheduler that starts what self-serve asks for, once."""

import json

from buildbot.data.resultspec import Filter
from buildbot.plugins import schedulers, util
from buildbot.process.buildrequest import TempSourceStamp
from buildbot.www.rest import JSONRPC_CODES, BadJsonRpc2
from twisted.internet import defer

from .names import AGAIN, BROUGHT, EXTRA_MAX, NAME, PIECE, VERSION
from .sets import requests_of

#: Calls are taken one after the other, also by a scheduler that is replaced when the master reads its configuration, so that
#: two of one piece cannot both find nothing.
TURN = defer.DeferredLock()


def refusal(reason):
    """What cannot be done, now or later. All else that goes wrong counts as passing, and is asked for again."""
    return BadJsonRpc2(reason, JSONRPC_CODES["invalid_params"])


class SelfServeScheduler(schedulers.ForceScheduler):
    """Starts what self-serve asks for, once.

    Each call names the piece of the job that it is (`selfserve_job`). Where a buildset, or a change, of that piece is there,
    the call answers what the first one did.
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

    @defer.inlineCallbacks
    def force(self, owner, builderNames=None, builderid=None, **kwargs):
        self._refuse_inactive()
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
        result = yield TURN.run(self._build, owner, names, kwargs)
        return result

    def _refuse_inactive(self):
        """Fails where another master has the scheduler, whose calls those of this one would not wait for, or where it was
        replaced meanwhile."""
        if not self.isActive():
            raise RuntimeError(f"the scheduler {NAME} does not run on this master now; ask the one on which it does")

    @defer.inlineCallbacks
    def _build(self, owner, names, kwargs):
        self._refuse_inactive()
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
        result = yield requests_of(self.master, bsid)
        return result

    @defer.inlineCallbacks
    def _change(self, owner, kwargs):
        """Adds a change, and answers its number when each scheduler has made of it what it does."""
        config = self.master.config
        self._refuse_other(config)
        for scheduler in self.master.allSchedulers():
            # Set while it is starting. Whoever is told of a change then is told nothing.
            if getattr(scheduler, "_startServiceDeferred", self) is not None:
                raise RuntimeError(f"the scheduler {scheduler.name} is not ready yet")
        changeid = yield TURN.run(self._tell, owner, kwargs)
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
        self._refuse_other(config)
        return changeid

    def _refuse_other(self, config):
        """Fails while the master reads its configuration, or where it has another one than then: a scheduler that is set up
        anew meanwhile hears of no change."""
        if self.master.reconfig_active or self.master.config is not config:
            raise RuntimeError("the master reads its configuration")

    @defer.inlineCallbacks
    def _tell(self, owner, kwargs):
        """The number of the change of a piece, which is added where there is none. One of another branch, or that somebody
        else told of, is another store's."""
        self._refuse_inactive()
        piece, revision, requester = kwargs[PIECE], kwargs.get("revision"), kwargs.get("requester") or owner
        known = yield self.master.data.get(("changes",), filters=[Filter("revision", "eq", [revision])])
        for change in known:
            if change["properties"].get(PIECE, (None,))[0] != piece:
                continue
            if change["branch"] != kwargs.get("branch") or change["author"] != requester:
                of = f"{change['author']} told of {change['branch']}"
                raise refusal(f"the piece {piece} is known here as another's: {of}")
            return change["changeid"]
        given = json.loads(kwargs["change"])
        properties = {**given.get("properties", {}), PIECE: piece, "requester": requester}
        changeid = yield self.master.data.updates.addChange(
            files=given.get("files", []),
            comments=kwargs.get("reason", ""),
            author=requester,
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
