"""What stands still comes back, and nothing that was acknowledged is lost."""

import concurrent.futures
import contextlib
import threading

import requests
from server import PATIENCE, STRANGER, build, until

RECORDS = "/buckets/build-hub/collections/releases/records"


class Writer(threading.Thread):
    """Sends batches of ten, one after the other, by the rule: again whenever not all of a batch is stored."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.session = server, requests.Session()
        self.session.trust_env = False
        self.acknowledged, self.refusals, self.surprises = set(), [], []
        self.done = threading.Event()

    def run(self):
        start = 0
        while not self.done.is_set():
            builds = [build(number) for number in range(start, start + 10)]
            if self.send(builds):
                self.acknowledged |= {record["id"] for record in builds}
                start += 10

    def send(self, builds):
        puts = [{"method": "PUT", "path": f"/v1{RECORDS}/{record['id']}", "body": {"data": record}} for record in builds]
        address = f"{self.server.url}/batch"
        try:
            answer = self.session.post(address, auth=("writer", "of builds"), json={"requests": puts}, timeout=PATIENCE)
        except requests.ConnectionError:
            # Kinto itself was restarted; nothing was acknowledged.
            return False
        if answer.status_code == 503:
            self.refusals.append(answer.headers.get("Retry-After"))
            return False
        statuses = {item["status"] for item in answer.json()["responses"]} if answer.ok else {answer.status_code}
        if statuses <= {200, 201}:
            return True
        if not statuses <= {200, 201, 503}:
            self.surprises.append(answer.text)
        return False

    def more(self, count=10):
        """Waits until so many more are acknowledged."""
        wanted = len(self.acknowledged) + count
        until(lambda: len(self.acknowledged) >= wanted, f"{wanted} builds are acknowledged")


@contextlib.contextmanager
def load(server):
    """A writer at work; afterwards all that was acknowledged has to be there."""
    writer = Writer(server)
    writer.start()
    try:
        writer.more()
        yield writer
    finally:
        writer.done.set()
        writer.join()
    assert not writer.surprises
    answer = server.ask("GET", f"{RECORDS}?_fields=id", status=200)
    assert writer.acknowledged <= {record["id"] for record in answer.json()["data"]}


def test_postgresql_stopped_under_load_is_told_by_503_and_loses_nothing(builds_on_postgresql):
    server = builds_on_postgresql
    with load(server) as writer:
        server.stop("postgresql")
        until(lambda: len(writer.refusals) > 2, "writes are refused")
        assert set(writer.refusals) == {"3"}
        refused = server.ask("GET", RECORDS, None, status=503)
        assert refused.headers["Retry-After"] == "3"
        assert server.heartbeat().json()["storage"] is False
        assert server.ask("GET", "/__lbheartbeat__", None).status_code == 200
        server.start()
        writer.more(30)
    server.until_well()


def test_once_postgresql_is_back_nobody_meets_a_connection_of_before(builds_on_postgresql):
    server = builds_on_postgresql
    # An empty collection has no time yet, and the first who ask for it at once can be answered 500 by Kinto.
    server.put(f"{RECORDS}/{build(0)['id']}", data=build(0))

    def reads(count):
        """Answers to so many questions at once, each on a connection of its own, so that they go to all processes."""
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            return set(threads.map(lambda _: requests.get(server.url + RECORDS, timeout=PATIENCE).status_code, range(count)))

    # The start below asks until it is answered, which one process learns from; the others cannot know.
    server.restart(KINTO_PROCESSES="6")
    try:
        # From here on each keeps connections.
        assert reads(96) == {200}
        server.stop("postgresql")
        server.start()
        assert reads(96) == {200}
    finally:
        server.restart()


def test_without_memcached_all_is_answered_rightly_and_only_the_heartbeat_tells(builds_on_postgresql):
    server = builds_on_postgresql
    with load(server) as writer:
        server.stop("memcached")
        # What Kinto puts into memcached is then simply not there, so that it sees the loss only every other time.
        until(lambda: server.heartbeat().status_code == 503, "the heartbeat tells")
        writer.more(30)
        assert not writer.refusals
        path = f"{RECORDS}/{build(0)['id']}"
        assert server.ask("GET", path, None).status_code == 200
        server.ask("PUT", path, STRANGER, status=403, json={"data": build(0)})
        assert server.ask("GET", "/__lbheartbeat__", None).status_code == 200
        server.start()
    server.until_well()


def test_kinto_stopped_under_load_ends_what_is_under_way_and_loses_nothing(builds_on_postgresql):
    server = builds_on_postgresql
    with load(server) as writer:
        server.restart()
        writer.more(20)


def test_for_maintenance_a_server_is_read_only_and_asks_for_pauses(server):
    server.ask("DELETE", "/buckets/trial")
    server.put("/buckets/trial")
    server.put("/buckets/trial/collections/any")
    path = "/buckets/trial/collections/any/records/one"
    server.put(path)
    put = {"method": "PUT", "path": f"/v1{path}", "body": {"data": {}}}
    server.restart(KINTO_READONLY="true", KINTO_BACKOFF="7", KINTO_EOS="2099-12-31", KINTO_EOS_MESSAGE="moving")
    try:
        info = server.ask("GET", "/", status=200)
        assert info.json()["settings"]["readonly"] is True
        assert info.headers["Backoff"] == "7" and "moving" in info.headers["Alert"]
        server.ask("PUT", path, status=405, json={"data": {}})
        refused = server.batch([put], status=405)
        assert refused.headers["Backoff"] == "7"
        # What is in memory has not outlived the restart.
        found = server.ask("GET", path).status_code
        assert found == (200 if server.config == "postgresql" else 403)
    finally:
        server.restart()
    assert "Backoff" not in server.ask("GET", "/", status=200).headers
