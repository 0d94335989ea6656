"""A server as `kinto/bin/start` runs it, in a folder of its own."""

import contextlib
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import time

import requests

KINTO = pathlib.Path(__file__).resolve().parents[1]
WRITER = ("writer", "of builds")
STRANGER = ("stranger", "to the writer")
# Seconds: what takes one of them on a quiet machine may take many where others work, too.
PATIENCE = 180


def free_port():
    """One below those that the system gives to whoever asks for any, so that nobody gets it while a server restarts."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def until(condition, what):
    """What the condition returns, as soon as that is true."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE} s in vain until {what}")


class Server:
    def __init__(self, folder, config, **variables):
        self.folder = pathlib.Path(folder)
        # PostgreSQL runs as another user, who has to come here.
        for way in (self.folder, self.folder.parent, self.folder.parent.parent):
            way.chmod(way.stat().st_mode | 0o011)
        self.config = str(config)
        self.port = free_port()
        self.variables = variables
        self.session = requests.Session()
        self.session.trust_env = False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def environment(self, **variables):
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KINTO_") or name == "KINTO_ENVIRONMENT"}
        return ours | {"RUN_DIR": str(self.folder)} | self.variables | variables

    def run(self, program, *arguments, check=True, **variables):
        """One of the distribution's programs; the environment is the server's and these."""
        line = [str(KINTO / "bin" / program), *map(str, arguments)]
        done = subprocess.run(line, env=self.environment(**variables), text=True, capture_output=True, timeout=600)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(line)}: {done.stdout}{done.stderr}")
        return done

    def start(self, **variables):
        """Starts what is missing; with the environment that Kinto shall have beside the usual."""
        self.run("start", self.config, self.port, **variables)
        return self

    def stop(self, *names):
        for name in names or ("",):
            self.run("stop", *name.split())

    def restart(self, **variables):
        self.stop("kinto")
        return self.start(**variables)

    def database(self):
        """PostgreSQL's address."""
        port = (self.folder / "postgresql.port").read_text().strip()
        return self.run("postgresql", "url", self.folder / "postgresql", port).stdout.strip()

    def ask(self, method, path, auth=WRITER, status=None, **arguments):
        """The answer to a request; whatever is not of the status wanted fails with what the server said."""
        answer = self.session.request(method, self.url + path, auth=auth, timeout=PATIENCE, **arguments)
        if status is not None:
            assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def put(self, path, auth=WRITER, **body):
        return self.ask("PUT", path, auth, json={"data": {}} | body).json()

    def batch(self, requests_, auth=WRITER, **arguments):
        return self.ask("POST", "/batch", auth, json={"requests": requests_}, **arguments)

    def heartbeat(self):
        return self.ask("GET", "/__heartbeat__", auth=None)

    def well(self):
        answer = self.heartbeat()
        return answer.status_code == 200 and all(answer.json().values())

    def until_well(self):
        """Waits until each process is surely well: ten heartbeats in a row. One alone may fail without a fault, when somebody
        asks for another at the same time, as `kinto/bin/start` does again when a busy machine keeps it waiting; and a process
        that missed memcached looks for it again after half a minute (`_DEAD_RETRY` of python-memcached)."""
        until(lambda: all(self.well() for _ in range(10)), "ten heartbeats in a row are well")

    def buildhub(self, command, *arguments, auth=WRITER, **others):
        """The program `buildhub`, run against this server."""
        line = [os.environ["BUILDHUB"], command, "--server", self.url, "--auth", ":".join(auth), *arguments]
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return subprocess.run(line, env=variables, text=True, capture_output=True, timeout=300, cwd=self.folder, **others)


def build(number, **changes):
    """A record that the schema takes."""
    url = f"https://archive.example/pub/firefox/releases/{number}.0/linux-x86_64/fr/firefox-{number}.0.tar.bz2"
    record = {
        "id": f"firefox_{number}-0_linux-x86_64_fr",
        "source": {"product": "firefox"},
        "target": {"platform": "linux-x86_64", "os": "linux", "locale": "fr", "version": f"{number}.0", "channel": "release"},
        "download": {"url": url, "mimetype": "application/x-bzip2", "size": 1000 + number, "date": "2018-01-01T00:00:00Z"},
    }
    return record | changes


def pinned_version():
    """The version of Kinto that the set installs."""
    return re.search(r"^kinto==(\S+)", (KINTO / "requirements.txt").read_text(), re.M)[1]


def manifest():
    return json.loads((KINTO / "initialization.json").read_text())
