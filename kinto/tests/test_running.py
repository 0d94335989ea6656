"""Starting, stopping, migrating, backing up."""

import concurrent.futures
import os
import pathlib
import socket
import subprocess
import sys
import uuid

import pytest
from server import KINTO, build, free_port, until

RECORDS = "/buckets/build-hub/collections/releases/records"


def processes(mark):
    """The ids of all processes that have this variable in their environment."""
    found = set()
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.add(int(folder.name))
        except OSError:
            # It has ended, or is another user's.
            continue
    return found


@pytest.mark.parametrize(("config", "least"), [("memory", 1), ("postgresql", 5)])
def test_nothing_is_left_running(servers, config, least):
    mark = f"KINTO_TRIAL={uuid.uuid4()}"
    server = servers(config, **dict([mark.split("=")]))
    server.start()
    assert len(processes(mark)) >= least
    pids = {int(file.read_text()) for file in server.folder.glob("*.pid")}
    assert pids <= processes(mark)
    server.stop()
    until(lambda: not processes(mark), "all have ended")
    assert not list(server.folder.glob("*.pid"))
    server.stop()


def test_what_was_killed_leaves_nothing_and_is_started_again(servers):
    mark = f"KINTO_TRIAL={uuid.uuid4()}"
    server = servers("postgresql", **dict([mark.split("=")])).start()
    server.put("/buckets/kept")
    killed = [int((server.folder / f"{name}.pid").read_text()) for name in ("kinto", "memcached", "postgresql")]
    for pid in killed:
        os.kill(pid, 9)
    until(lambda: not processes(mark), "no child has outlived its parent")
    # One that nobody has waited for still has its id, and PostgreSQL takes it for a server in its folder.
    until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in killed), "their ids are free")
    server.start()
    server.until_well()
    assert server.ask("GET", "/buckets/kept").status_code == 200
    # Started again, it is the same.
    before = {file.name: file.read_text() for file in server.folder.glob("*.pid")}
    assert "is running already" in server.run("start", server.config, server.port).stdout
    assert {file.name: file.read_text() for file in server.folder.glob("*.pid")} == before
    server.stop()


def test_a_server_whose_packages_are_reached_by_a_link_is_stopped_too(servers, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(pathlib.Path(sys.prefix))
    mark = f"KINTO_TRIAL={uuid.uuid4()}"
    server = servers("memory", KINTO_ENVIRONMENT=str(link), **dict([mark.split("=")])).start()
    assert processes(mark)
    assert link.is_symlink()
    assert "kinto stopped" in server.run("stop").stdout
    until(lambda: not processes(mark), "it has ended")


def test_two_who_start_the_same_at_once_have_one_server(servers):
    server = servers("postgresql")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: server.run("start", server.config, server.port, check=False), range(2)))
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert sorted("is running already" in one.stdout for one in done) == [False, True]
    server.stop()


def test_a_port_that_is_taken_is_named(servers):
    server = servers("memory")
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        failed = server.run("start", "memory", server.port, check=False)
    assert failed.returncode == 1 and f"something else has port {server.port}" in failed.stderr
    assert not list(server.folder.glob("*.pid"))


def test_variables_of_others_do_not_reach_kinto(memory):
    memory.restart(READONLY="true", BATCH_MAX_REQUESTS="3", UWSGI_PROCESSES="7")
    settings = memory.ask("GET", "/", status=200).json()["settings"]
    assert (settings["readonly"], settings["batch_max_requests"]) == (False, 100)
    memory.restart()


def test_the_tables_are_made_once_and_migrating_again_changes_nothing(servers):
    server = servers("postgresql").start()

    def schema():
        dump = ["pg_dump", "--schema-only", "--restrict-key=same", server.database()]
        done = subprocess.run(dump, text=True, capture_output=True)
        if done.returncode:
            # Older ones know no such key, and need none.
            done = subprocess.run([part for part in dump if "restrict" not in part], text=True, capture_output=True, check=True)
        return [line for line in done.stdout.splitlines() if not line.startswith("--")]

    first = schema()
    assert any("CREATE TABLE public.objects" in line for line in first)
    server.put("/buckets/kept")
    variables = {f"KINTO_{kind}_URL": server.database() for kind in ("STORAGE", "PERMISSION")}
    done = server.run("kinto", "migrate", "postgresql", **variables)
    assert schema() == first, done.stderr
    assert server.ask("GET", "/buckets/kept").status_code == 200
    server.stop()


def test_what_was_dumped_is_there_again_when_it_is_restored(builds_on_postgresql, tmp_path):
    server = builds_on_postgresql
    puts = [{"method": "PUT", "path": f"/v1{RECORDS}/{build(n)['id']}", "body": {"data": build(n)}} for n in range(100)]
    server.batch(puts, status=200)
    before = server.ask("GET", RECORDS, None, status=200)
    dump = tmp_path / "kinto.dump"
    # As README.md says: the password is on no command line.
    database = f"postgresql://kinto@127.0.0.1:{(server.folder / 'postgresql.port').read_text().strip()}/postgres"
    variables = os.environ | {"PGPASSWORD": (server.folder / "postgresql" / "password").read_text().strip()}
    subprocess.run(["pg_dump", "--format=custom", f"--file={dump}", database], check=True, env=variables)
    server.ask("DELETE", "/buckets/build-hub", status=200)
    server.put("/buckets/later")
    server.stop("kinto")
    restore = ["pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={database}", dump]
    subprocess.run(restore, check=True, env=variables)
    server.start()
    after = server.ask("GET", RECORDS, None, status=200)
    assert after.json() == before.json() and after.headers["ETag"] == before.headers["ETag"]
    assert len(after.json()["data"]) == 100
    assert server.ask("GET", "/buckets/later").status_code == 403
    server.ask("PUT", f"{RECORDS}/{build(100)['id']}", status=201, json={"data": build(100)})


def test_without_a_secret_nothing_is_served(servers):
    server = servers("example")
    refused = server.run("kinto", "serve", "example", check=False)
    assert refused.returncode == 1 and "KINTO_USERID_HMAC_SECRET" in refused.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["STORAGE_URL"], "KINTO_STORAGE_URL is set, but not KINTO_PERMISSION_URL"),
        (["PERMISSION_URL", "USERID_HMAC_SECRET"], "KINTO_PERMISSION_URL is set, but not KINTO_STORAGE_URL"),
        (["STORAGE_URL", "PERMISSION_URL"], "KINTO_USERID_HMAC_SECRET has to be set"),
    ],
)
def test_half_of_what_another_database_needs_is_refused_by_name_before_anything_starts(servers, given, said):
    server = servers("postgresql")
    secret = "postgresql://kinto:hunter2@127.0.0.1:1/kinto"
    failed = server.run("start", "postgresql", server.port, check=False, **{f"KINTO_{name}": secret for name in given})
    assert failed.returncode == 1 and said in failed.stderr and "hunter2" not in failed.stderr
    assert not [file for file in server.folder.iterdir() if file.suffix in (".pid", ".log")]


def test_a_postgresql_and_a_memcached_that_are_there_are_used_and_stay(servers, postgresql):
    variables = {f"KINTO_{kind}_URL": postgresql.database() for kind in ("STORAGE", "PERMISSION")}
    variables["KINTO_USERID_HMAC_SECRET"] = (postgresql.folder / "hmac").read_text().strip()
    variables["KINTO_CACHE_HOSTS"] = f"127.0.0.1:{(postgresql.folder / 'memcached.port').read_text().strip()}"
    postgresql.put("/buckets/shared")
    other = servers("postgresql", **variables).start()
    assert sorted(file.stem for file in other.folder.glob("*.pid")) == ["kinto"]
    assert other.ask("GET", "/buckets/shared").status_code == 200
    other.stop()
    postgresql.until_well()


def test_the_same_server_on_another_port_is_refused_at_once(memory):
    refused = memory.run("start", memory.config, free_port(), check=False)
    assert refused.returncode == 1 and f"on port {memory.port} and not" in refused.stderr
    assert memory.heartbeat().status_code == 200


def test_a_server_that_is_only_just_being_started_is_stopped_too(servers):
    server = servers("memory")
    line = [KINTO / "bin" / "start", server.config, str(server.port)]
    starting = subprocess.Popen(line, env=server.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = server.folder / "kinto.pid"
    pid = int(until(lambda: file.exists() and file.read_text().strip(), "its process is begun"))
    server.stop()
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "it is gone")
    assert not file.exists() and starting.wait() == 1


def test_records_and_permissions_in_two_databases_are_refused(servers):
    server = servers("example")
    variables = {"KINTO_STORAGE_URL": "postgresql://kinto:hunter2@127.0.0.1:1/kinto", "KINTO_USERID_HMAC_SECRET": "secret"}
    for command in ("serve", "migrate"):
        refused = server.run("kinto", command, "example", check=False, **variables)
        assert refused.returncode == 1 and "KINTO_PERMISSION_URL have to be the same" in refused.stderr
        assert "hunter2" not in refused.stderr


def test_the_programs_say_how_they_are_called(servers):
    server = servers("memory")
    for program, arguments, said in [
        ("start", ["nonsense"], "memory, postgresql, example, or a file"),
        ("stop", ["nonsense"], "it is kinto, memcached or postgresql"),
        ("kinto", [], "unknown command"),
        ("kinto", ["serve", str(KINTO / "config" / "memory.ini"), "0.0.0.0:80"], "127.0.0.1 alone"),
    ]:
        failed = server.run(program, *arguments, check=False)
        assert failed.returncode != 0 and said in failed.stderr, (program, failed)
