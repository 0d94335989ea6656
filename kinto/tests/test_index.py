"""The indexes of one collection and of another, and an address that is none."""

import pytest


def index(server, *arguments, address=None, check=True):
    return server.run("index", *arguments, check=check, KINTO_STORAGE_URL=address or server.database())


def test_the_indexes_of_one_collection_are_not_those_of_another(postgresql):
    other = ("--bucket", "other", "--collection", "builds")
    try:
        for which in ((), other):
            assert index(postgresql, "apply", *which).stdout.count(": made") == 3
        for which in ((), other):
            assert index(postgresql, "status", *which).stdout.count(" ready ") == 3
            assert index(postgresql, "apply", *which).stdout.count(": is there") == 3
        assert index(postgresql, "remove").stdout.count(": removed") == 3
        assert index(postgresql, "status", *other).stdout.count(" ready ") == 3
    finally:
        for which in ((), other):
            index(postgresql, "remove", *which)


@pytest.mark.parametrize("address", ["mysql://u:hunter2@127.0.0.1/db", "u:hunter2@127.0.0.1", "postgres+psycopg2://u:hunter2@127.0.0.1:1/db"])
def test_an_address_that_is_none_is_refused_without_its_password(memory, address):
    failed = index(memory, "status", address=address, check=False)
    assert failed.returncode != 0 and "hunter2" not in failed.stderr + failed.stdout
    assert "no address of a database" in failed.stderr or "no connection" in failed.stderr
