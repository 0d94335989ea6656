"""What Buildbot does otherwise than self-serve promises, mended."""

import collections

from buildbot.db.buildrequests import BuildRequestsConnectorComponent, NotClaimedError
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.results import CANCELLED
from buildbot.www.rest import V2RootResource
from twisted.internet import defer, reactor, threads

from .names import MADE_OF, PIECE

#: Of how many buildsets it is remembered whether a job asked for them, which does not change.
KNOWN_MAX = 1000


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


def repair_answers():
    """Has answers written by the thread that has the connections.

    Buildbot 4.2 and 4.3 have each answer of its REST API written by a thread of its own, which Twisted does not allow: now and then one is
    cut off, or is not sent before the connection's time is over, a minute later.
    """
    write = getattr(V2RootResource, "_write_json_data", None)
    if write is None or getattr(write, "is_repaired", False):
        return

    def write_json_data(request, encoder, data):
        body = encoder.encode(data).encode()
        threads.blockingCallFromThread(reactor, answer, request, body)

    write_json_data.is_repaired = True
    V2RootResource._write_json_data = staticmethod(write_json_data)


def answer(request, body):
    if request.finished or request.channel is None:
        return
    request.setHeader(b"content-length", str(len(body)).encode())
    if request.method != b"HEAD":
        request.write(body)


def repair_collapsing():
    """Keeps what a job asked for from being collapsed, and from ending what others wait for.

    Of requests that wait for the same thing Buildbot builds the newest one, unless it is told not to, and ends the others as
    skipped. Somebody who asks for three builds wants three; and who has an old push built again takes nobody's newer one away,
    though Buildbot counts both as the same, for it does not compare the revisions of what has changes.
    """
    can = BuildRequest.canBeCollapsed
    if getattr(can, "keeps_what_was_asked_for", False):
        return

    known = collections.OrderedDict()

    @defer.inlineCallbacks
    def is_asked_for(master, bsid):
        if bsid not in known:
            known[bsid] = yield has_piece(master, bsid)
            while len(known) > KNOWN_MAX:
                known.popitem(last=False)
        return known[bsid]

    @defer.inlineCallbacks
    def can_be_collapsed(master, new_br, old_br):
        # The new one is compared with all that wait: it is looked at first.
        for request in (new_br, old_br):
            is_kept = yield is_asked_for(master, request["buildsetid"])
            if is_kept:
                return False
        result = yield can(master, new_br, old_br)
        return result

    can_be_collapsed.keeps_what_was_asked_for = True
    BuildRequest.canBeCollapsed = staticmethod(can_be_collapsed)


@defer.inlineCallbacks
def has_piece(master, bsid):
    """Whether a buildset is a piece of a job, or is made of a change that a job told of, or of its source, and was not
    triggered by another build."""
    properties = yield master.data.get(("buildsets", str(bsid), "properties"))
    if any(name.startswith(MADE_OF) and value for name, (value, _) in properties.items()):
        return True
    name, source = properties.get(PIECE, (None, None))
    if name is None:
        return False
    buildset = yield master.data.get(("buildsets", str(bsid)))
    return source == "Change" or buildset["external_idstring"] == name
