"""The servers that are shipped, as they are started here, are well in the eyes of `buildhub doctor`."""

import json

from conftest import initialised


def complaints(server):
    found = {}
    # A trial record shows the server's time, too; without one its answers have to.
    for arguments in ((), ("--write",)):
        done = server.buildhub("doctor", "--json", *arguments)
        # How fast this machine is just now is not the distribution's.
        findings = [finding for finding in json.loads(done.stdout)["findings"] if finding["check"] != "latency"]
        found |= {finding["check"]: finding["seen"] for finding in findings if finding["state"] != "ok"}
    return found


def test_nothing_is_wrong_on_postgresql(builds_on_postgresql):
    assert complaints(builds_on_postgresql) == {}


def test_in_memory_only_writers_are_not_guarded_against_each_other(memory):
    assert complaints(initialised(memory)).keys() == {"writers"}
