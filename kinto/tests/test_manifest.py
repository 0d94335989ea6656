"""The bucket, the collection and its schema, however they are made."""

import os
import pathlib
import subprocess
import sys

import pytest
from server import KINTO, WRITER, manifest

MANIFEST = KINTO / "initialization.json"


def by_buildhub(server):
    return server.buildhub("init-kinto")


def by_wizard(server):
    wizard = pathlib.Path(sys.executable).with_name("kinto-wizard")
    line = [wizard, "load", MANIFEST, "--server", server.url, "--auth", ":".join(WRITER), "--force"]
    return subprocess.run(line, text=True, capture_output=True, timeout=120, env=os.environ | {"NO_PROXY": "127.0.0.1"})


def made(server, by):
    """What is there after it was made from nothing, by path."""
    server.ask("DELETE", "/buckets/build-hub")
    done = by(server)
    assert done.returncode == 0, done.stdout + done.stderr
    return found(server)


def found(server):
    paths = ["/buckets/build-hub", "/buckets/build-hub/collections/releases"]
    listed = server.ask("GET", "/buckets/build-hub/collections", status=200).json()["data"]
    assert [collection["id"] for collection in listed] == ["releases"]
    return {path: server.ask("GET", path, status=200).json() for path in paths}


def undated(there):
    return {
        path: {"permissions": body["permissions"], "data": {k: v for k, v in body["data"].items() if k != "last_modified"}}
        for path, body in there.items()
    }


@pytest.mark.parametrize("by", [by_buildhub, by_wizard])
def test_what_the_manifest_says_is_made_and_the_second_time_nothing_changes(server, by):
    there = made(server, by)
    collection = there["/buckets/build-hub/collections/releases"]
    wanted = manifest()["buckets"]["build-hub"]["collections"]["releases"]
    assert collection["data"]["schema"] == wanted["data"]["schema"]
    assert collection["permissions"]["read"] == ["system.Everyone"]
    writer = server.ask("GET", "/", WRITER).json()["user"]["id"]
    assert collection["permissions"]["write"] == there["/buckets/build-hub"]["permissions"]["write"] == [writer]
    assert by(server).returncode == 0
    # kinto-wizard writes what is there already once more, which gives it a new date; buildhub leaves it alone.
    again = found(server)
    assert again == there if by is by_buildhub else undated(again) == undated(there)


def test_kinto_wizard_and_buildhub_make_the_same(server):
    assert undated(made(server, by_buildhub)) == undated(made(server, by_wizard))
