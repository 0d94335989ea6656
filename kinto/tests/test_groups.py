"""What is on when it is wanted: the blocks of example.ini, as they stand there."""

import configparser
import email
import importlib.util
import re
import socketserver
import threading

import pytest
from server import KINTO, STRANGER, WRITER, until


def wanted(package):
    """Skips what needs a package that is not installed: `make kinto-test KINTO_GROUPS="attachment emailer signer"` installs both."""
    return pytest.mark.skipif(not importlib.util.find_spec(package), reason=f"{package} is not installed")


def with_block(folder, name, base, **others):
    """A configuration that inherits from one of the distribution's, with a block of example.ini uncommented."""
    text = (KINTO / "config" / "example.ini").read_text()
    block = re.search(rf"^# {name}: .*\n(?:# \S.*\n)*((?:#\S.*\n|#  .*\n)+)", text, re.M)[1]
    own = configparser.RawConfigParser()
    own.optionxform = str
    own.read_string("[app:main]\n" + re.sub(r"^#", "", block, flags=re.M))
    inherited = configparser.RawConfigParser()
    inherited.optionxform = str
    inherited.read(KINTO / "config" / f"{base}.ini")
    inherited["app:main"].update(dict(own["app:main"]) | {"use": f"config:{KINTO}/config/{base}.ini"})
    if base == "memory":
        plugins = own["app:main"]["kinto.includes"].replace("one_writer_at_a_time", "kinto.plugins.flush")
        inherited["app:main"]["kinto.includes"] = plugins
    inherited["app:main"].update(others)
    file = folder / f"{name}.ini"
    with file.open("w") as out:
        inherited.write(out)
    return file


def test_accounts_are_made_by_who_holds_the_server_and_only_the_named_make_buckets(servers, tmp_path):
    server = servers(with_block(tmp_path, "accounts", "postgresql")).start()
    variables = {f"KINTO_{kind}_URL": server.database() for kind in ("STORAGE", "PERMISSION")}
    variables["KINTO_USERID_HMAC_SECRET"] = (server.folder / "hmac").read_text().strip()
    writer = ("buildhub", "a secret")
    server.ask("PUT", "/buckets/build-hub", writer, status=401, json={"data": {}})
    server.run("kinto", "create-user", server.config, "--username", writer[0], "--password", writer[1], **variables)
    server.run("kinto", "create-user", server.config, "--username", "admin", "--password", "another", **variables)
    assert server.ask("GET", "/", writer).json()["user"]["id"] == "account:buildhub"
    assert "user" not in server.ask("GET", "/", ("buildhub", "a guess")).json()
    assert server.buildhub("init-kinto", auth=writer).returncode == 0
    # Nobody makes an account for himself; the administrator makes one, who then is no writer.
    account = {"data": {"password": STRANGER[1]}}
    assert server.ask("PUT", f"/accounts/{STRANGER[0]}", None, json=account).status_code in (401, 403)
    server.ask("PUT", f"/accounts/{STRANGER[0]}", ("admin", "another"), status=201, json=account)
    server.ask("PUT", "/buckets/other", STRANGER, status=403, json={"data": {}})
    server.ask("PATCH", "/buckets/build-hub", STRANGER, status=403, json={"data": {}})
    server.ask("GET", "/buckets/build-hub/collections/releases/records", None, status=200)
    # Without memcached, passwords are looked at each time, and all stays right.
    server.stop("memcached")
    server.ask("PATCH", "/buckets/build-hub", writer, status=200, json={"data": {}})
    server.ask("PATCH", "/buckets/build-hub", ("buildhub", "a guess"), status=401, json={"data": {}})
    server.stop()


def test_prometheus_counts_the_requests_of_all_processes(servers, tmp_path):
    numbers = tmp_path / "numbers"
    server = servers(with_block(tmp_path, "prometheus", "postgresql"), PROMETHEUS_MULTIPROC_DIR=str(numbers)).start()
    for _ in range(20):
        server.ask("GET", "/", auth=None, status=200)
    said = server.ask("GET", "/__metrics__", auth=None, status=200).text
    counted = sum(float(n) for n in re.findall(r'^kinto_request_summary_total\{.*endpoint="hello".*\} (\S+)$', said, re.M))
    assert counted >= 20, said
    server.stop()


@wanted("kinto_attachment")
@pytest.mark.parametrize("base", ["memory", "postgresql"])
def test_a_file_is_put_on_a_new_record_and_on_one_that_is_there(servers, tmp_path, base):
    folder = tmp_path / "attachments"
    changes = {"kinto.attachment.base_path": str(folder)}
    server = servers(with_block(tmp_path, "attachment", base, **changes)).start()
    assert "attachments" in server.ask("GET", "/").json()["capabilities"]
    server.put("/buckets/files")
    server.put("/buckets/files/collections/logs")
    server.put("/buckets/files/collections/logs/records/old", data={"kept": True})
    for record in ("new", "old"):
        path = f"/buckets/files/collections/logs/records/{record}"
        file = {"attachment": (f"{record}.txt", f"log of {record}", "text/plain")}
        assert server.ask("POST", f"{path}/attachment", files=file).status_code in (200, 201)
        data = server.ask("GET", path, status=200).json()["data"]
        assert data["attachment"]["filename"] == f"{record}.txt" and data["attachment"]["size"] == len(f"log of {record}")
        kept = folder / data["attachment"]["location"].removeprefix("https://example.com/attachments/")
        assert kept.read_text() == f"log of {record}"
    assert data["kept"] is True
    server.ask("POST", f"{path}/attachment", STRANGER, status=403, files=file)
    server.stop()


class MailServer(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as it takes to be handed an e-mail."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line.strip().upper() == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(mail).decode())
            self.wfile.write(b"250 well\r\n")


@wanted("kinto_emailer")
@pytest.mark.parametrize("base", ["memory", "postgresql"])
def test_an_email_is_sent_when_a_record_changes(servers, tmp_path, base):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as mailer:
        mailer.daemon_threads, mailer.mails = True, []
        threading.Thread(target=mailer.serve_forever, daemon=True).start()
        where = {"mail.host": "127.0.0.1", "mail.port": str(mailer.server_address[1])}
        server = servers(with_block(tmp_path, "emailer", base, **where)).start()
        server.put("/buckets/builds")
        hook = {"template": "{record_id} by {user_id}", "subject": "A build", "recipients": ["someone@example.com"]}
        server.put("/buckets/builds/collections/jobs", data={"kinto-emailer": {"hooks": [hook | {"resource_name": "record"}]}})
        assert not mailer.mails
        server.put("/buckets/builds/collections/jobs/records/first")
        (mail,) = until(lambda: mailer.mails, "the e-mail is sent")
        writer = server.ask("GET", "/", WRITER).json()["user"]["id"]
        mail = email.message_from_string(mail)
        assert (mail["To"], mail["From"], mail["Subject"]) == ("someone@example.com", "kinto@example.com", "A build")
        assert mail.get_payload(decode=True).decode().strip() == f"first by {writer}"
        server.stop()
        mailer.shutdown()
