"""A client's file says by its type, and by nothing else that stands there, how the client proves itself."""

from __future__ import annotations

import json
from pathlib import Path

from ostiary.client.own_client import certificate_credential, own_proof
from ostiary.protocol import credential
from ostiary.protocol.certificate_credential import CLIENT_CERTIFICATE
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey

ISSUER = "https://auth.example.com"


def test_a_client_with_a_key_may_be_called_as_the_other_kind_of_file_is(tmp_path: Path, key: SigningKey) -> None:
    file = tmp_path / "client.json"
    file.write_bytes(Credential(credential.CLIENT, ISSUER, CLIENT_CERTIFICATE, key).to_json())
    file.chmod(0o600)
    proof, certificate = own_proof(file)
    assert (proof.method, certificate) == ("private_key_jwt", None)


def test_the_type_may_be_written_as_json_allows(tmp_path: Path) -> None:
    file = tmp_path / "client.json"
    members = {"issuer": ISSUER, "client_id": "shop", "certificate_file": "c.pem", "private_key_file": "c.key"}
    told = json.dumps({"type": CLIENT_CERTIFICATE, **members})
    file.write_text(told.replace(CLIENT_CERTIFICATE, "ostiary\\u002dclient-certificate"))
    found = certificate_credential(file)
    assert found is not None
    assert (found.client_id, found.certificate_file) == ("shop", tmp_path / "c.pem")
