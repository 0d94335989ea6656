"""Several who write at the same time: what was acknowledged is there."""

import concurrent.futures
import json
import shutil
import subprocess

import pytest
from server import WRITER, build, until

RECORDS = "/buckets/build-hub/collections/releases/records"
# What Kinto logs of two who write at the same moment, one of whom it answers 409.
CONFLICT = "duplicate key value violates unique constraint"


def load(server, numbers, retries):
    """The program `buildhub` loads these builds, in batches of 25."""
    settings = ("--batch-max-requests", "25", "--nb-retry-request", str(retries), "--initialize-server", "false")
    cache = server.folder / f"cache-{numbers[0]}"
    cache.mkdir()
    lines = "".join(json.dumps({"data": build(number)}) + "\n" for number in numbers)
    return server.buildhub("to-kinto", "--cache-folder", str(cache), *settings, input=lines)


def stored(server):
    return {record["id"] for record in server.ask("GET", f"{RECORDS}?_fields=id", status=200).json()["data"]}


# The rule: an item answered 409 takes with it what the same batch was told is stored, so the whole batch goes again.
# Where each has its turn, none is refused; on Kinto as it comes they are, and nothing is lost for all that.
@pytest.mark.parametrize(
    ("plugins", "retries"),
    [(None, 3), ("kinto.plugins.history", 30)],
    ids=["apart", "stock"],
)
def test_four_writers_into_one_collection_lose_nothing(builds_on_postgresql, plugins, retries):
    server = builds_on_postgresql
    if plugins:
        server.restart(KINTO_INCLUDES=plugins)
    try:
        starts = iter(range(0, 4000, 400))

        def have_met():
            """Four load a hundred each; whether one was in another's way. All that they were told is stored is there."""
            start = next(starts)
            parts = [range(first, first + 100) for first in range(start, start + 400, 100)]
            for part in parts:
                shutil.rmtree(server.folder / f"cache-{part[0]}", ignore_errors=True)
            with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
                for done in pool.map(lambda part: load(server, part, retries), parts):
                    assert done.returncode == 0, done.stdout + done.stderr
            assert stored(server) == {build(number)["id"] for number in range(start + 400)}
            return CONFLICT in (server.folder / "kinto.log").read_text()

        # Without turns it depends on the moment whether they meet: they go on until they did.
        assert have_met() is False if plugins is None else until(have_met, "one writer was in another's way")
    finally:
        if plugins:
            server.restart()


def test_of_two_conditional_writes_at_once_one_is_refused(builds_on_postgresql):
    server = builds_on_postgresql
    path = f"{RECORDS}/{build(1)['id']}"
    server.put(path, data=build(1))

    def grow(_):
        """Adds one to the size, as often as somebody else was first."""
        while True:
            read = server.ask("GET", path, status=200)
            record = read.json()["data"]
            record["download"]["size"] += 1
            headers = {"If-Match": read.headers["ETag"]}
            written = server.ask("PUT", path, headers=headers, json={"data": record})
            if written.status_code == 200:
                return
            assert written.status_code == 412, written.text

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(grow, range(20)))
    assert server.ask("GET", path).json()["data"]["download"]["size"] == build(1)["download"]["size"] + 20


def test_writers_of_two_collections_do_not_meet_in_the_history(postgresql):
    postgresql.ask("DELETE", "/buckets/trial")
    postgresql.put("/buckets/trial")
    for collection in "ab":
        postgresql.put(f"/buckets/trial/collections/{collection}")

    def write(part):
        collection, start = part
        path = f"/v1/buckets/trial/collections/{collection}/records"
        puts = [{"method": "PUT", "path": f"{path}/r{start + n}", "body": {"data": {}}} for n in range(25)]
        answer = postgresql.batch(puts)
        return answer.status_code, *(item["status"] for item in answer.json().get("responses", ()))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(write, [(collection, start) for start in range(0, 100, 25) for collection in "ab"]))
    assert answers == {(200, *[201] * 25)}
    history = postgresql.ask("GET", "/buckets/trial/history?resource_name=record&_limit=1000").json()["data"]
    assert len(history) == 200


def test_a_writer_who_waits_too_long_is_told_to_come_again_and_readers_do_not_wait(builds_on_postgresql):
    server = builds_on_postgresql
    path = f"{RECORDS}/{build(1)['id']}"
    server.put(path, data=build(1))
    server.restart(KINTO_ONE_WRITER_AT_A_TIME_WAIT_SECONDS="0.2")
    sql = "SELECT pg_advisory_lock(hashtextextended('/buckets/build-hub/collections/releases', 0))"
    holder = subprocess.Popen(["psql", "--quiet", server.database()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        holder.stdin.write(f"{sql};\n\\echo held\n")
        holder.stdin.flush()
        while "held" not in holder.stdout.readline():
            assert holder.poll() is None
        # Long before the twenty seconds that it waits where nothing else is said.
        refused = server.session.put(server.url + path, auth=WRITER, json={"data": build(1)}, timeout=15)
        assert refused.status_code == 503, refused.text
        assert int(refused.headers["Retry-After"]) == 3
        assert server.ask("GET", path, None).status_code == 200
        server.until_well()
    finally:
        holder.communicate("\\q\n")
    server.ask("PUT", path, status=200, json={"data": build(1)})
    server.restart()
