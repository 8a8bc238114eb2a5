"""Client assertions and request bodies, made before the clock starts."""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from urllib.parse import urlencode

from ostiary.protocol import client_assertion, jws
from ostiary.protocol.jwk import SigningKey


def presigned(
    key: SigningKey, client_id: str, issuer: str, form: dict[str, str], tokens: list[str], count: int
) -> list[bytes]:
    """``count`` request bodies, each with an assertion of its own; ``tokens`` are added in turn if there are any."""
    now, fixed = time.time(), urlencode(form)
    stem, bodies = secrets.token_hex(8), []
    asserted = urlencode({"client_assertion_type": client_assertion.ASSERTION_TYPE})
    for number in range(count):
        # Unguessable by its tail, as an honest client makes it.
        jti = f"{stem}{number:x}-{urlsafe_b64encode(secrets.token_bytes(12)).decode()}"
        payload = client_assertion.build(client_id, issuer, now=now, life=240, jti=jti)
        assertion = jws.sign(payload, key, typ=client_assertion.TYP)
        token = f"&token={tokens[number % len(tokens)]}" if tokens else ""
        bodies.append(f"{fixed}&{asserted}&client_assertion={assertion}{token}".encode())
    return bodies
