"""Kinto as uWSGI loads it.

uWSGI closes a connection when a request's body was not read, and says nothing of it in the answer. Kinto does not read it
when it refuses a request before (401, 403, 405), so whoever went on at once on that connection met a reset. Here every
body is read first; `limit-post` in uwsgi.ini bounds it.
"""

import io
import os

from paste.deploy import loadapp
from pyramid.paster import setup_logging

CONFIGURATION = os.environ["KINTO_INI"]

setup_logging(CONFIGURATION)
kinto = loadapp(f"config:{CONFIGURATION}")


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length) if length else b"")
    return kinto(environ, start_response)
