"""What `bench-kinto-read` measures, on a Kinto that it started."""

import base64
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
RECORDS = "/v1/buckets/build-hub/collections/releases/records"
# No kind of question is asked for longer, in seconds.
PATIENCE = 8
# Records written to see what the indexes cost.
WRITTEN = 2_000

QUESTIONS = {
    "newest records": "_limit=10",
    "target.channel": 'target.channel="release"&_limit=10',
    "build.id": 'build.id="{build}"&_limit=10',
    "source.revision": 'source.revision="{revision}"&_limit=10',
    "source.revision, none": 'source.revision="ffff"&_limit=10',
    "newest builds": "_sort=-build.date&_limit=10",
    "target.channel, newest builds": 'target.channel="release"&_sort=-build.date&_limit=10',
    "find": "has_build.id=true&_sort=-build.id,id&_limit=100",
    "find, without build id": "has_build.id=false&_sort=-build.id,id&_limit=100",
    "find --build-id": 'has_build.id=true&build.id="{build}"&_sort=-build.id,id&_limit=100',
    "find --revision": 'has_build.id=true&source.revision="{revision}"&_sort=-build.id,id&_limit=100',
    "find --revision, 12 digits": 'has_build.id=true&min_source.revision="{short}"&lt_source.revision="{short}g"'
    "&_sort=-build.id,id&_limit=100",
    "find --version": 'has_build.id=true&target.version="28.0b3"&_sort=-build.id,id&_limit=100',
    "find --product --channel": 'has_build.id=true&source.product="firefox"&target.channel="release"'
    "&_sort=-build.id,id&_limit=100",
    "find --channel --locale": 'has_build.id=true&target.locale="l7"&target.channel="nightly"&_sort=-build.id,id&_limit=100',
    "find --until": 'has_build.id=true&lt_build.id="20140103000000"&lt_build.date="2014-01-03T00:00:00Z"'
    "&_sort=-build.id,id&_limit=100",
    "find --latest": 'has_build.id=true&source.product="firefox"&target.channel="esr"&_sort=-build.id,id&_limit=1',
    "find --latest, none": 'has_build.id=true&source.product="focus"&target.channel="esr"&_sort=-build.id,id&_limit=1',
    "a page of 10,000 ids": "_fields=id&_sort=last_modified&_limit=10000",
    "number of records": None,
}


def main():
    port, rows, count = (int(text) for text in sys.argv[1:])
    kinto = Kinto(port)
    kinto.put("/v1/buckets/build-hub", {})
    manifest = json.loads((ROOT / "kinto/initialization.json").read_text())
    kinto.put("/v1/buckets/build-hub/collections/releases", manifest["buckets"]["build-hub"]["collections"]["releases"])
    load(rows)
    questions = kinto.questions()
    before = {name: kinto.measure(question, count) for name, question in questions.items()}
    written = kinto.write("without")
    begun = time.perf_counter()
    subprocess.run([ROOT / "kinto/bin/index", "apply"], check=True)
    made = time.perf_counter() - begun
    after = {name: kinto.measure(question, count) for name, question in questions.items()}
    again = kinto.write("with")
    subprocess.run([ROOT / "kinto/bin/index", "status"], check=True)
    print(f"\n{rows} records; milliseconds, p50 and p99 of at most {count} questions")
    print(f"{'':30} {'without indexes':>19} {'with':>19}   found")
    for name, (found, p50, p99) in before.items():
        later, new50, new99 = after[name]
        # Those that were written in between are the newest.
        differs = "" if found == later or name == "number of records" else f", then {later}"
        print(f"{name:30} {p50:9.1f} {p99:9.1f} {new50:9.1f} {new99:9.1f}   {found}{differs}")
    print(f"\nindexes made in {made:.1f} s; one writer, records/s and PostgreSQL's work for each:")
    for name, (rate, work) in (("without", written), ("with them", again)):
        print(f"  {name:9} {rate:5.0f}/s {work:6.2f} ms")


def cpu():
    """Seconds that PostgreSQL has worked so far, all of its processes together."""
    parent = (Path(os.environ["RUN_DIR"]) / "postgresql.pid").read_text().strip()
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if stat.parent.name == parent:
            # Its own, and that of those that have ended.
            ticks += sum(map(int, fields[11:15]))
        elif fields[1] == parent:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def load(rows):
    sql = (ROOT / "scripts/kinto-builds.sql").read_text().replace(":rows", str(rows))
    begun = time.perf_counter()
    database = psycopg2.connect(os.environ["KINTO_STORAGE_URL"])
    database.autocommit = True
    with database.cursor() as cursor:
        cursor.execute(sql)
        # So that no vacuum begins in the middle.
        cursor.execute("VACUUM objects")
    database.close()
    print(f"{rows} records loaded in {time.perf_counter() - begun:.1f} s", flush=True)


class Kinto:
    def __init__(self, port):
        self.port = port
        self.connection = None

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if body is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(b"user:pass").decode()
        self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port)
        begun = time.perf_counter()
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        took = time.perf_counter() - begun
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text[:500]}")
        return took, answer, text

    def put(self, path, value):
        self.ask("PUT", path, json.dumps(value))

    def questions(self):
        """The questions, of a build that is there."""
        self.connection = None
        record = json.loads(self.ask("GET", f"{RECORDS}?_limit=1&_sort=id")[2])["data"][0]
        revision = record["source"]["revision"]
        facts = {"{build}": record["build"]["id"], "{revision}": revision, "{short}": revision[:12]}
        questions = dict(QUESTIONS)
        for name, question in questions.items():
            for mark, fact in facts.items():
                questions[name] = question = question and question.replace(mark, fact)
        return questions

    def measure(self, question, count):
        """How many are found, and how long that takes: p50, p99."""
        # The server closes a connection that was idle.
        self.connection = None
        times = []
        while len(times) < count and sum(times) < PATIENCE:
            if question is None:
                took, answer, _ = self.ask("HEAD", RECORDS)
                found = int(answer.headers["Total-Objects"])
            else:
                took, _, text = self.ask("GET", f"{RECORDS}?{urllib.parse.quote(question, safe='=&-_,.')}")
                found = len(json.loads(text)["data"])
            times.append(took)
        times.sort()
        part = lambda share: 1000 * times[min(len(times) - 1, int(len(times) * share))]
        return found, part(0.5), part(0.99)

    def write(self, mark):
        """New records in batches of 100: how many a second, and milliseconds of PostgreSQL's work for each."""
        self.connection = None
        template = json.loads(self.ask("GET", f"{RECORDS}?_limit=1&_sort=id")[2])["data"][0]
        record = {name: template[name] for name in ("source", "target", "build", "download")}
        begun, worked = time.perf_counter(), cpu()
        for first in range(0, WRITTEN, 100):
            requests = []
            for number in range(first, first + 100):
                record["download"]["size"] = number
                record["download"]["url"] = f"https://archive.mozilla.org/{mark}/{number}"
                path = f"{RECORDS[3:]}/written-{mark}-{number}"
                requests.append({"method": "PUT", "path": path, "body": {"data": json.loads(json.dumps(record))}})
            _, _, text = self.ask("POST", "/v1/batch", json.dumps({"requests": requests}))
            wrong = [answer for answer in json.loads(text)["responses"] if answer["status"] != 201]
            if wrong:
                sys.exit(f"a record was not written: {wrong[0]}")
        return WRITTEN / (time.perf_counter() - begun), 1000 * (cpu() - worked) / WRITTEN


main()
