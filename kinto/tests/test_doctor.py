"""The servers that are shipped, as they are started here, are well in the eyes of `buildhub doctor`."""

import json

from conftest import initialised
from server import KINTO


def examined(server, *arguments):
    """What the doctor looked at, by its name."""
    # It asks for one heartbeat, which must not meet another that is still under way.
    server.until_well()
    done = server.buildhub("doctor", "--json", *arguments)
    return {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}


def complaints(server):
    found = {}
    # A trial record shows the server's time, too; without one its answers have to.
    for arguments in ((), ("--write",)):
        found |= {name: it["seen"] for name, it in examined(server, *arguments).items() if it["state"] != "ok"}
    # How fast this machine is just now is not the distribution's.
    found.pop("latency", None)
    return found


def test_nothing_is_wrong_on_postgresql(builds_on_postgresql):
    assert complaints(builds_on_postgresql) == {}


def test_in_memory_only_writers_are_not_guarded_against_each_other(memory):
    assert complaints(initialised(memory)).keys() == {"writers"}


def test_what_may_be_tolerated_of_a_known_server_is_what_the_doctor_looks_at(builds_on_postgresql):
    schema = json.loads((KINTO / "instances.schema.json").read_text())
    fields = schema["properties"]["instances"]["items"]["properties"]
    tolerable = fields["tolerated"]["propertyNames"]["enum"]
    # Whether it answers at all, as a Kinto, is `may_be_down`.
    assert {*tolerable, "reachable", "kinto"} == examined(builds_on_postgresql).keys()
