"""What `kinto/bin/kinto` does; its head says how it is called."""

import configparser
import os
import pathlib
import sys

# Kinto takes each of its settings from the environment, by its plain name too (BATCH_MAX_REQUESTS, READONLY), and uWSGI
# each of its options (UWSGI_PROCESSES). Buildhub and shells have variables of such names, so only these are handed on,
# and those that begin with KINTO_.
HANDED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "PYTHONWARNINGS", "PROMETHEUS_MULTIPROC_DIR")


def fail(message):
    sys.exit(f"kinto/bin/kinto: {message}")


def configuration(home, name):
    """The file of a configuration that is named shortly, or by its path."""
    known = home / "config" / f"{name}.ini"
    file = known if known.is_file() else pathlib.Path(name)
    if not file.is_file():
        fail(f"there is no configuration {name!r}: it is memory, postgresql, example, or a file")
    return file.resolve()


def written(file):
    """The settings of a file and of those it inherits from, by PasteDeploy's rule: `use = config:FILE`."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        settings = dict(parser["app:main"])
    except OSError as error:
        fail(f"{file}, which is to be read for the configuration, is not readable: {error.strerror}")
    except (configparser.Error, UnicodeDecodeError, KeyError):
        # What configparser says may quote a line with a secret in it.
        fail(f"{file} is no configuration of Kinto's: it has no section [app:main], or a line is none of NAME = VALUE")
    kind, _, parent = settings.pop("use", "").partition(":")
    inherited = written(file.parent / parent) if kind == "config" else {}
    return inherited | settings


def effective(file, name):
    """A setting as Kinto will see it: from the environment, else from the file; empty where neither has it. Of a plugin's, Kinto
    looks into the environment only for those that the file has: leave none of them out of example.ini."""
    variable = "KINTO_" + name.upper().replace(".", "_").replace("-", "_")
    return os.environ.get(variable, written(file).get(f"kinto.{name}", ""))


def demand_one_database(file):
    """Records and who may do what with them are written in one transaction; with one address for both."""
    parts = ("storage", "permission")
    if not all(effective(file, f"{part}_backend").endswith(".postgresql") for part in parts):
        return
    if len({effective(file, f"{part}_url") for part in parts}) > 1:
        fail("KINTO_STORAGE_URL and KINTO_PERMISSION_URL have to be the same address: one of them is not set, or another")


def environment(home):
    variables = {name: value for name, value in os.environ.items() if name in HANDED_ON or name.startswith("KINTO_")}
    return variables | {"PYTHONPATH": str(home / "plugins"), "PYTHONDONTWRITEBYTECODE": "1"}


def serve(home, programs, file, address="127.0.0.1:8888"):
    """The command line of the server. What is in memory is in one process, and needs no uWSGI."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        fail(f"{address!r} is no address to listen on: HOST:PORT")
    if not effective(file, "userid_hmac_secret"):
        fail("there is no secret for the users' principals: set KINTO_USERID_HMAC_SECRET to a long random text")
    if effective(file, "storage_backend") == "kinto.core.storage.memory":
        if host not in ("127.0.0.1", "localhost"):
            fail(f"a server in memory listens on 127.0.0.1 alone, not on {host!r}")
        return [programs / "kinto", "start", "--ini", file, "--port", port]
    return [
        programs / "uwsgi",
        *("--ini", home / "config" / "uwsgi.ini"),
        *("--http11-socket", address),
        *("--module", "application"),
    ]


def main():
    home, programs, command, *arguments = sys.argv[1:] if len(sys.argv) > 3 else (*sys.argv[1:], "")
    home, programs = pathlib.Path(home), pathlib.Path(programs)
    if command not in ("serve", "migrate", "settings", "create-user", "purge-deleted", "flush-cache"):
        fail(f"unknown command {command!r}; the head of the file says which there are")
    if not arguments:
        fail(f"{command}: with which configuration? memory, postgresql, example, or a file")
    file, *rest = arguments
    file = configuration(home, file)
    if command == "settings":
        print("\n".join(" ".join(effective(file, name).split()) for name in rest))
        return
    demand_one_database(file)
    if command == "serve":
        if len(rest) > 1:
            fail("serve takes a configuration and an address")
        line = serve(home, programs, file, *rest)
    else:
        line = [programs / "kinto", command, "--ini", file, *rest]
    line = [str(part) for part in line]
    # KINTO_INI is named in the answer of GET /v1/, with a sum of its content.
    os.execve(line[0], line, environment(home) | {"KINTO_INI": str(file)})


main()
