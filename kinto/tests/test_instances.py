"""`make kinto-instances`, asked of a file that names the server under test."""

import json
import subprocess

import pytest
from server import KINTO, WRITER, pinned_version


@pytest.fixture
def ask_all(builds_on_postgresql, tmp_path):
    """Runs it with that one server, of which this is said beside what must be."""

    def ask(**about):
        builds_on_postgresql.until_well()
        one = {"name": "here", "url": builds_on_postgresql.url, "environment": "testing", "contact": "us", "credentials": "WRITER_HERE"}
        file = tmp_path / "a list.yml"
        # JSON is YAML.
        file.write_text(json.dumps({"instances": [one | about]}))
        variables = builds_on_postgresql.environment(WRITER_HERE=":".join(WRITER))
        line = ["make", "--silent", "--directory", KINTO.parent, "kinto-instances", f"FILE={file}"]
        return subprocess.run(line, env=variables, text=True, capture_output=True, timeout=600)

    return ask


def test_a_server_that_is_as_the_file_says_is_well(ask_all):
    major = pinned_version().split(".")[0]
    expected = {"version": major, "capabilities": ["one_writer_at_a_time"], "absent": ["flush_endpoint"], "batch_max": 100}
    done = ask_all(expected=expected, tolerated={"latency": "a machine that does other work"})
    assert done.returncode == 0, done.stdout + done.stderr
    head, row = done.stdout.splitlines()
    assert head.split()[:3] == ["instance", "environment", "state"]
    assert row.split()[:3] == ["here", "testing", "well"]


def test_one_that_is_not_is_told_with_whom_to_ask(ask_all):
    done = ask_all(expected={"capabilities": ["attachments"]}, environment="production")
    assert done.returncode != 0 and "here" in done.stdout, done.stdout + done.stderr
    for said in ("ask us", "attachments, which is not there", "a production server is reached by https"):
        assert said in done.stdout
    assert WRITER[1] not in done.stdout + done.stderr
