"""The configurations agree where they must."""

import configparser
import json
import subprocess
import sys

import pytest
from server import KINTO

CONFIGS = ("example", "memory", "postgresql")


def settings(config, *names):
    done = subprocess.run([KINTO / "bin" / "kinto", "settings", config, *names], text=True, capture_output=True, check=True)
    return dict(zip(names, done.stdout.splitlines(), strict=True))


def test_what_buildhub_relies_on_is_the_same_everywhere():
    relied_on = {
        "experimental_collection_schema_validation": "true",
        "batch_max_requests": "100",
        "paginate_by": "10000",
        "readonly": "false",
        "retry_after_seconds": "3",
        "history.exclude_resources": "/buckets/build-hub/collections/releases /buckets/self-serve/collections/builds"
        " /buckets/self-serve/collections/requests /buckets/self-serve/collections/counters",
    }
    for config in CONFIGS:
        assert settings(config, *relied_on) == relied_on, config


def test_only_memory_can_be_flushed_and_postgresql_always_keeps_writers_apart():
    plugins = {config: settings(config, "includes")["includes"].split() for config in CONFIGS}
    assert [config for config in CONFIGS if "kinto.plugins.flush" in plugins[config]] == ["memory"]
    for config in ("example", "postgresql"):
        assert plugins[config][0] == "one_writer_at_a_time"


def test_the_example_lets_nobody_in_before_it_was_told_whom():
    assert settings("example", "bucket_create_principals", "userid_hmac_secret") == {
        "bucket_create_principals": "",
        "userid_hmac_secret": "",
    }


def test_a_variable_takes_the_place_of_a_setting(monkeypatch):
    monkeypatch.setenv("KINTO_READONLY", "true")
    monkeypatch.setenv("READONLY", "maybe")
    assert settings("example", "readonly") == {"readonly": "true"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kinto.storage_url = secret\n", "FILE is no configuration"),
        ("[server:main]\nhost = secret\n", "FILE is no configuration"),
        ("[app:main]\nuse = config:gone.ini\n", "gone.ini, which is to be read for the configuration, is not readable"),
    ],
)
def test_a_file_that_is_no_configuration_is_named_and_none_of_it_told(tmp_path, text, said):
    file = tmp_path / "own.ini"
    file.write_text(text)
    done = subprocess.run([KINTO / "bin" / "kinto", "settings", file, "storage_url"], text=True, capture_output=True)
    assert done.returncode == 1 and said.replace("FILE", str(file)) in done.stderr
    assert done.stderr.count("\n") == 1 and "secret" not in done.stderr


@pytest.mark.parametrize("config", CONFIGS)
def test_every_setting_is_one_that_somebody_reads(config):
    """A misspelt one would be kept without a word."""
    from kinto import DEFAULT_SETTINGS
    from kinto.core import DEFAULT_SETTINGS as CORE

    known = {"storage_pool_size", "storage_max_overflow", "storage_pool_pre_ping", "history.exclude_resources", "one_writer_at_a_time.wait_seconds"}
    known |= DEFAULT_SETTINGS.keys() | CORE.keys()
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    parser.read(KINTO / "config" / f"{config}.ini")
    names = {name.removeprefix("kinto.") for name in parser["app:main"]} - {"use", "multiauth.policies"}
    assert names and names <= known


def test_kinto_reads_the_same_settings_as_its_programs():
    """The short reading of the files in bin/programs.py against PasteDeploy's, which Kinto uses."""
    script = "import json, sys; from paste.deploy import appconfig; print(json.dumps(dict(appconfig('config:' + sys.argv[1]))))"
    names = ("storage_backend", "cache_backend", "includes", "paginate_by", "userid_hmac_secret")
    for config in CONFIGS:
        line = [sys.executable, "-c", script, KINTO / "config" / f"{config}.ini"]
        read = json.loads(subprocess.run(line, text=True, capture_output=True, check=True).stdout)
        assert settings(config, *names) == {name: " ".join(read[f"kinto.{name}"].split()) for name in names}


def test_each_thread_has_a_connection():
    # The first line of each name counts here; the later ones are for the environment.
    lines = (KINTO / "config" / "uwsgi.ini").read_text().splitlines()
    numbers = {}
    for line in lines:
        name, _, value = line.partition(" = ")
        numbers.setdefault(name, value)
    pool = settings("example", "storage_pool_size", "storage_max_overflow")
    assert numbers["threads"] == pool["storage_pool_size"]
    assert int(numbers["processes"]) * sum(map(int, pool.values())) < 100
