"""How a client or an API of the demo proves itself by the key in its credential file: RFC 7523."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from ostiary.protocol import client_assertion, jws
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey


def credential_in(file: Path) -> Credential:
    """The credential in ``file``."""
    return Credential.parse(file.read_bytes())


def assertion_of(credential: Credential, key: SigningKey) -> str:
    """An assertion that this is the client of ``credential``, signed with ``key``, its own or another."""
    jti = secrets.token_urlsafe(16)
    payload = client_assertion.build(credential.client_id, credential.issuer, now=time.time(), jti=jti)
    return jws.sign(payload, key, typ=client_assertion.TYP)


def proof_of(credential: Credential) -> dict[str, str]:
    """The parameters of a request by which the client of ``credential`` proves itself."""
    assertion = assertion_of(credential, credential.key)
    return {"client_assertion_type": client_assertion.ASSERTION_TYPE, "client_assertion": assertion}
