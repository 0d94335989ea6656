"""Tells whether a server answers, or waits until it does: ``answers.py kinto|memcached PORT [PID]`` and, with the address
in ANSWERS_URL, ``answers.py postgresql 0 [PID]``. With a process id it asks again until that process has ended, or for three
minutes; without, once. It fails when there was no answer."""

import os
import socket
import sys
import time
import urllib.request


def kinto(port):
    """The heartbeat says that all parts are well."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(f"http://127.0.0.1:{port}/v1/__heartbeat__", timeout=5).close()
    return True


def memcached(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"version\r\n")
        return connection.recv(64).startswith(b"VERSION")


def postgresql(_):
    import psycopg2

    psycopg2.connect(os.environ["ANSWERS_URL"]).close()
    return True


def answers(ask, port):
    try:
        return ask(port)
    except Exception:  # Whatever it is, there is no answer yet; the server's log says more.
        return False


def alive(pid):
    try:
        os.kill(pid, 0)
    except PermissionError:
        # PostgreSQL's process is another user's, where this one may not signal it.
        return True
    except OSError:
        return False
    return True


def main(name, port, pid=None):
    ask = {"kinto": kinto, "memcached": memcached, "postgresql": postgresql}[name]
    ends = time.monotonic() + 180
    while not answers(ask, int(port)):
        if pid is None or not alive(int(pid)) or time.monotonic() > ends:
            sys.exit(1)
        time.sleep(0.05)


main(*sys.argv[1:])
