"""What a client of the server sees."""

import http.client
import json

import pytest
from server import KINTO, PATIENCE, STRANGER, WRITER, build

RELEASES = "/buckets/build-hub/collections/releases"
RECORDS = f"{RELEASES}/records"


def test_a_server_says_that_it_is_well_and_what_it_is(server):
    server.until_well()
    assert server.ask("GET", "/__lbheartbeat__", auth=None, status=200).json() == {}
    version = server.ask("GET", "/__version__", auth=None, status=200).json()
    assert (version["name"], version["version"]) == ("buildhub-kinto", (KINTO / "VERSION").read_text().strip())
    info = server.ask("GET", "/", auth=None, status=200).json()
    assert info["settings"]["batch_max_requests"] == 100 and not info["settings"]["readonly"]
    assert {"schema", "history"} <= info["capabilities"].keys()
    assert ("one_writer_at_a_time" in info["capabilities"]) == (server.config == "postgresql")
    assert info["config"]["path"].endswith(f"{server.config}.ini")


def test_only_a_server_in_memory_can_be_emptied_by_a_request(memory, postgresql):
    assert memory.ask("POST", "/__flush__").status_code == 202
    assert postgresql.ask("POST", "/__flush__").status_code == 404


def test_everyone_reads_builds_and_only_the_writer_writes_them(builds):
    path = f"{RECORDS}/{build(1)['id']}"
    body = {"data": build(1)}
    for stranger, refused in ((None, 401), (STRANGER, 403)):
        builds.ask("PUT", path, stranger, status=refused, json=body)
    builds.ask("PUT", path, WRITER, status=201, json=body)
    for anyone in (None, STRANGER):
        assert builds.ask("GET", path, anyone, status=200).json()["data"]["target"] == build(1)["target"]
        assert len(builds.ask("GET", RECORDS, anyone, status=200).json()["data"]) == 1
        assert "schema" in builds.ask("GET", RELEASES, anyone, status=200).json()["data"]
    for stranger, refused in ((None, 401), (STRANGER, 403)):
        for method in ("PUT", "PATCH", "DELETE"):
            builds.ask(method, path, stranger, status=refused, json=body)
        for method in ("PATCH", "DELETE"):
            builds.ask(method, RELEASES, stranger, status=refused, json={"data": {}})
            builds.ask(method, "/buckets/build-hub", stranger, status=refused, json={"data": {}})
        builds.ask("DELETE", RECORDS, stranger, status=refused)
        # A batch opens no way around.
        answers = builds.batch([{"method": "PUT", "path": f"/v1{path}", "body": body}], stranger, status=200)
        assert answers.json()["responses"][0]["status"] == refused


def test_who_was_refused_can_go_on_with_the_same_connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.connect()
    kept = connection.sock
    for _ in range(3):
        # Refused before the body is looked at.
        connection.request("PUT", "/v1/buckets/build-hub", json.dumps({"data": {}}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, connection.sock) == (401, kept), answer.read()
        answer.read()
    connection.close()


def test_where_bucket_makers_are_named_others_make_none(postgresql):
    makers = postgresql.ask("GET", "/", WRITER).json()["user"]["id"]
    postgresql.ask("DELETE", "/buckets/trial")
    postgresql.restart(KINTO_BUCKET_CREATE_PRINCIPALS=makers)
    try:
        postgresql.ask("PUT", "/buckets/trial", STRANGER, status=403, json={"data": {}})
        postgresql.ask("PUT", "/buckets/trial", None, status=401, json={"data": {}})
        postgresql.ask("PUT", "/buckets/trial", WRITER, status=201, json={"data": {}})
    finally:
        postgresql.restart()


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        ({"target": {"platform": "linux-x86_64"}}, "target", "'locale' is a required property"),
        ({"download": build(1)["download"] | {"size": "many"}}, "size", "'many' is not of type 'integer'"),
        ({"unknown": 1}, None, "Additional properties are not allowed ('unknown' was unexpected)"),
    ],
)
def test_a_record_that_is_no_build_is_refused_with_the_reason(builds, changes, where, why):
    record = build(2, **changes)
    fault = builds.ask("PUT", f"{RECORDS}/{record['id']}", status=400, json={"data": record}).json()
    assert fault["errno"] == 107
    (detail,) = fault["details"]
    assert detail["location"] == "body" and why in detail["description"]
    assert where is None or where in detail["name"]
    assert builds.ask("GET", RECORDS).json()["data"] == []


def test_a_batch_of_the_limit_is_taken_and_one_more_refused(builds):
    puts = [{"method": "PUT", "path": f"/v1{RECORDS}/{build(n)['id']}", "body": {"data": build(n)}} for n in range(101)]
    refused = builds.batch(puts, status=400).json()
    assert "100" in json.dumps(refused["details"])
    assert builds.ask("GET", RECORDS).json()["data"] == []
    answers = builds.batch(puts[:100], status=200).json()["responses"]
    assert {answer["status"] for answer in answers} == {201}
    assert len(builds.ask("GET", RECORDS).json()["data"]) == 100


def test_what_was_deleted_is_told_to_those_who_ask_what_changed(builds):
    kept, deleted = build(1), build(2)
    for record in (kept, deleted):
        builds.put(f"{RECORDS}/{record['id']}", data=record)
    before = builds.ask("GET", RECORDS).headers["ETag"].strip('"')
    builds.ask("DELETE", f"{RECORDS}/{deleted['id']}", status=200)
    assert [record["id"] for record in builds.ask("GET", RECORDS).json()["data"]] == [kept["id"]]
    (tombstone,) = builds.ask("GET", f"{RECORDS}?_since={before}").json()["data"]
    assert tombstone["id"] == deleted["id"] and tombstone["deleted"] is True
    assert tombstone["last_modified"] > int(before)


def test_a_list_is_read_whole_by_following_its_pages(builds):
    builds.batch([{"method": "PUT", "path": f"/v1{RECORDS}/{build(n)['id']}", "body": {"data": build(n)}} for n in range(10)])
    page = builds.ask("GET", f"{RECORDS}?_limit=4&_fields=id", None, status=200)
    sizes = []
    while True:
        sizes.append(len(page.json()["data"]))
        if "Next-Page" not in page.headers:
            break
        assert page.headers["Next-Page"].startswith(builds.url)
        page = builds.session.get(page.headers["Next-Page"], timeout=PATIENCE)
    assert sizes == [4, 4, 2]


def test_history_is_kept_of_other_buckets_and_not_of_the_builds(builds, bucket):
    builds.put(f"{bucket}/collections/jobs")
    builds.put(f"{bucket}/collections/jobs/records/one", data={"state": "new"})
    builds.ask("PATCH", f"{bucket}/collections/jobs/records/one", status=200, json={"data": {"state": "done"}})
    entries = builds.ask("GET", f"{bucket}/history?resource_name=record", status=200).json()["data"]
    assert [(entry["action"], entry["target"]["data"]["state"]) for entry in entries] == [("update", "done"), ("create", "new")]
    assert entries[0]["user_id"] == builds.ask("GET", "/", WRITER).json()["user"]["id"]
    builds.put(f"{RECORDS}/{build(1)['id']}", data=build(1))
    assert builds.ask("GET", "/buckets/build-hub/history?resource_name=record", status=200).json()["data"] == []


def test_of_self_serve_jobs_have_a_history_and_what_is_known_of_builds_has_none(builds):
    builds.put("/buckets/self-serve")
    for collection in ["jobs", "builds", "requests", "counters"]:
        builds.put(f"/buckets/self-serve/collections/{collection}")
        builds.put(f"/buckets/self-serve/collections/{collection}/records/one", data={"state": "new"})
    entries = builds.ask("GET", "/buckets/self-serve/history?resource_name=record", status=200).json()["data"]
    assert [entry["uri"] for entry in entries] == ["/buckets/self-serve/collections/jobs/records/one"]
