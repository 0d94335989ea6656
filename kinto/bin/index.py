"""Makes, shows and removes the indexes of a file of CREATE INDEX statements. `index` calls it and says how."""

import argparse
import hashlib
import os
import re
import sys

import psycopg2

STATEMENT = re.compile(r"CREATE INDEX CONCURRENTLY (\w+) ON objects\s[^;]+;")
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*")
# Bucket and collection of Buildhub's records.
OURS = ("build-hub", "releases")
# What a collection can be of: where its indexes are, and its usual bucket and collection.
KINDS = {
    "releases": ("questions.sql", *OURS),
    "builds": ("builds.sql", "self-serve", "builds"),
    "requests": ("requests.sql", "self-serve", "requests"),
}
# One of us at a time in a database; any number that nobody else uses.
LOCK = 7_140_926_531
LOOK = """
SELECT pg_index.indisvalid, obj_description(pg_class.oid, 'pg_class'), pg_relation_size(pg_class.oid),
       pg_stat_get_numscans(pg_class.oid)
  FROM pg_class JOIN pg_index ON pg_index.indexrelid = pg_class.oid
 WHERE pg_index.indrelid = 'objects'::regclass AND pg_class.relname = %s
"""


def main():
    options = parse()
    database = connect()
    with database.cursor() as cursor:
        for name, statement in read(options):
            globals()[options.action](cursor, name, statement)
        if options.action == "apply":
            # What an index is of has no statistics before: without them it may not be taken.
            cursor.execute("ANALYZE objects")
    return 1 if options.action == "status" and status.missing else 0


def parse():
    parser = argparse.ArgumentParser(prog="kinto/bin/index", description="Indexes for questions about a large collection.")
    parser.add_argument("folder", help=argparse.SUPPRESS)
    parser.add_argument("action", choices=["status", "apply", "remove"])
    parser.add_argument("--of", default="releases", choices=KINDS, help="what the records are (releases)")
    parser.add_argument("--bucket", type=name, help="of the records (build-hub, or self-serve)")
    parser.add_argument("--collection", type=name, help="of the records (releases, builds or requests)")
    options = parser.parse_args()
    file, bucket, collection = KINDS[options.of]
    options.file = os.path.join(options.folder, file)
    options.bucket, options.collection = options.bucket or bucket, options.collection or collection
    return options


def name(text):
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a bucket or collection")
    return text


def connect():
    url = os.environ.get("KINTO_STORAGE_URL", "")
    if not url:
        sys.exit("kinto/bin/index: which database? Set KINTO_STORAGE_URL to postgresql://user:password@host:port/database")
    # SQLAlchemy's name of the driver is nothing that PostgreSQL knows.
    url = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
    if not url.startswith("postgresql://"):
        # PostgreSQL would repeat it, its password included.
        sys.exit("kinto/bin/index: KINTO_STORAGE_URL is no address of a database: postgresql://user:password@host:port/database")
    try:
        database = psycopg2.connect(url)
    except psycopg2.Error as error:
        sys.exit(f"kinto/bin/index: no connection: {error}")
    # An index that is made CONCURRENTLY is made outside of transactions.
    database.autocommit = True
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('objects') IS NOT NULL, pg_try_advisory_lock(%s)", [LOCK])
        there, alone = cursor.fetchone()
    if not there:
        sys.exit("kinto/bin/index: the database has no table of Kinto's; run kinto migrate first")
    if not alone:
        sys.exit("kinto/bin/index: somebody else is at it; try again when that is done")
    return database


def read(options):
    """Each index's name, and the statement that makes it for the collection. Names are one list for the whole database,
    so those of another collection than Buildhub's have something of their own."""
    with open(options.file, encoding="utf-8") as file:
        text = re.sub(r"--.*", "", file.read())
    path = f"'/buckets/{options.bucket}/collections/{options.collection}'"
    own = "" if (options.bucket, options.collection) == OURS else "_" + hashlib.sha256(path.encode()).hexdigest()[:8]
    found = []
    for match in STATEMENT.finditer(text):
        statement = match[0].replace(match[1], match[1] + own, 1).replace(":collection", path)
        found.append((match[1] + own, statement))
    if re.sub(STATEMENT, "", text).strip() or not found:
        sys.exit(f"kinto/bin/index: {options.file} has something that is no CREATE INDEX CONCURRENTLY")
    return found


def state_of(cursor, name, statement):
    """What is wrong with an index, if anything is, its size, and how often it was used."""
    cursor.execute(LOOK, [name])
    row = cursor.fetchone()
    if row is None:
        return "missing", 0, 0
    valid, mark, size, scans = row
    if not valid:
        return "broken off", size, scans
    return ("" if mark == mark_of(statement) else "of another definition"), size, scans


def mark_of(statement):
    return "buildhub " + hashlib.sha256(" ".join(statement.split()).encode()).hexdigest()[:16]


def status(cursor, name, statement):
    wrong, size, scans = state_of(cursor, name, statement)
    status.missing = status.missing or bool(wrong)
    print(f"{name:24} {wrong or 'ready':22} {size / 2**20:8.1f} MB  used {scans} times")


status.missing = False


def apply(cursor, name, statement):
    wrong = state_of(cursor, name, statement)[0]
    if not wrong:
        print(f"{name}: is there")
        return
    if wrong != "missing":
        print(f"{name}: {wrong}, made anew")
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    cursor.execute(statement)
    cursor.execute(f"COMMENT ON INDEX {name} IS %s", [mark_of(statement)])
    print(f"{name}: made, {state_of(cursor, name, statement)[1] / 2**20:.1f} MB")


def remove(cursor, name, _):
    if state_of(cursor, name, "")[0] == "missing":
        print(f"{name}: is not there")
        return
    cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    print(f"{name}: removed")


try:
    sys.exit(main())
except psycopg2.Error as error:
    sys.exit(f"kinto/bin/index: {error}")
