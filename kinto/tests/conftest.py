"""Servers for the tests: one of each back end for all of them, and others for those that need their own."""

import contextlib
import signal

import pytest

from server import WRITER, Server, manifest


def pytest_configure(config):
    # Who ends the tests early ends their servers too.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """Makes servers, and ends them with the tests."""
    with contextlib.ExitStack() as ends:

        def make(config, **variables):
            made = Server(tmp_path_factory.mktemp("server"), config, **variables)
            ends.callback(made.stop)
            return made

        yield make


@pytest.fixture(scope="session")
def memory(servers):
    return servers("memory").start()


@pytest.fixture(scope="session")
def postgresql(servers):
    return servers("postgresql").start()


@pytest.fixture(params=["memory", "postgresql"])
def server(request):
    """The server of each back end, in turn."""
    return request.getfixturevalue(request.param)


def initialised(server):
    """Makes the bucket of the builds anew, empty, by hand and not by what is tested."""
    server.ask("DELETE", "/buckets/build-hub")
    for bucket, about in manifest()["buckets"].items():
        server.ask("PUT", f"/buckets/{bucket}", WRITER, status=201, json={"data": {}})
        for collection, body in about["collections"].items():
            server.ask("PUT", f"/buckets/{bucket}/collections/{collection}", WRITER, status=201, json=body)
    return server


@pytest.fixture
def builds(server):
    return initialised(server)


@pytest.fixture
def builds_on_postgresql(postgresql):
    return initialised(postgresql)


@pytest.fixture
def bucket(server):
    """The path of a bucket for one test."""
    server.ask("DELETE", "/buckets/trial")
    server.ask("PUT", "/buckets/trial", status=201, json={"data": {}})
    return "/buckets/trial"
