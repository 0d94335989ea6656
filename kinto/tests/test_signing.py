"""Signed collections, when the group signer is installed: edited, reviewed by somebody else, signed, and verified."""

import subprocess

import pytest
from server import WRITER
from test_groups import wanted, with_block

EDITOR, REVIEWER = ("editor", "of the list"), ("reviewer", "of the list")
SOURCE = "/buckets/staging/collections/addons"
SIGNED = "/buckets/signed/collections/addons"


def set_up(server):
    """A bucket to edit, with an editor and a reviewer."""
    people = {who[0]: server.ask("GET", "/", who).json()["user"]["id"] for who in (EDITOR, REVIEWER)}
    server.put("/buckets/staging", permissions={"write": list(people.values())})
    for group, member in (("editors", "editor"), ("reviewers", "reviewer")):
        server.put(f"/buckets/staging/groups/{group}", data={"members": [people[member]]})
    server.put(SOURCE)


def ask_for(server, status, who, answered):
    server.ask("PATCH", SOURCE, who, status=answered, json={"data": {"status": status}})


def verify(server, key):
    """Whether the signature is of what the signed collection holds, by the key alone."""
    from kinto_signer.serializer import canonical_json
    from kinto_signer.signer.local_ecdsa import ECDSASigner

    records = server.ask("GET", f"{SIGNED}/records", None, status=200)
    signature = server.ask("GET", SIGNED, None, status=200).json()["data"]["signature"]
    said = canonical_json(records.json()["data"], records.headers["ETag"].strip('"'))
    signer = ECDSASigner(public_key=key)
    signer.verify(said, signature)
    return signer, said, signature


@wanted("kinto_signer")
def test_what_a_second_person_approves_is_signed_and_what_is_altered_does_not_verify(servers, tmp_path):
    from kinto_signer.signer.exceptions import BadSignatureError

    key, public = tmp_path / "signer.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", key], check=True)
    subprocess.run(["openssl", "ec", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    server = servers(with_block(tmp_path, "signer", "postgresql", **{"kinto.signer.ecdsa.private_key": str(key)})).start()
    assert "signer" in server.ask("GET", "/").json()["capabilities"]
    set_up(server)
    server.ask("PUT", f"{SOURCE}/records/one", EDITOR, status=201, json={"data": {"version": 1}})
    ask_for(server, "to-review", EDITOR, 200)
    assert server.ask("GET", "/buckets/preview/collections/addons/records").json()["data"][0]["version"] == 1
    assert server.ask("GET", f"{SIGNED}/records").json()["data"] == []
    # Who edited it does not approve of it, and the attempt leaves nothing behind.
    ask_for(server, "to-sign", EDITOR, 403)
    ask_for(server, "to-sign", WRITER, 403)
    ask_for(server, "to-sign", REVIEWER, 200)
    assert server.ask("GET", f"{SIGNED}/records").json()["data"][0]["version"] == 1
    signer, said, signature = verify(server, public)
    with pytest.raises(BadSignatureError):
        signer.verify(said.replace('"version":1', '"version":2'), signature)
    # What is deleted is gone from the signed collection after the next review, which is signed anew.
    server.ask("DELETE", f"{SOURCE}/records/one", EDITOR, status=200)
    ask_for(server, "to-review", EDITOR, 200)
    ask_for(server, "to-sign", REVIEWER, 200)
    assert server.ask("GET", f"{SIGNED}/records").json()["data"] == []
    assert verify(server, public)[2] != signature
    server.stop()
