"""A client's proof of itself at its authorization server, made anew for each request: RFC 7523, RFC 10070 section 4."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from ostiary.protocol import client_assertion, jws
from ostiary.protocol.credential import Credential

Clock = Callable[[], float]
"""Seconds since the epoch."""
NewJti = Callable[[], str]
"""An unguessable id, never the same twice."""


def new_jti() -> str:
    """128 random bits, base64url."""
    return secrets.token_urlsafe(16)


class ClientProof:
    """Makes the form parameters by which ``credential`` proves itself, and nothing that another server could use."""

    method = "private_key_jwt"

    def __init__(
        self, credential: Credential, *, clock: Clock = time.time, jti: NewJti = new_jti, mutual_tls: bool = False
    ) -> None:
        """mutual_tls: whether its requests show a certificate as well, to have the tokens bound to it."""
        self.mutual_tls = mutual_tls
        self.credential = credential
        self._clock = clock
        self._jti = jti

    @property
    def issuer(self) -> str:
        """The only server that the credential is for."""
        return self.credential.issuer

    @property
    def client_id(self) -> str:
        """Who proves itself."""
        return self.credential.client_id

    @property
    def alg(self) -> str:
        """What the assertions are signed by."""
        return self.credential.key.alg

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def headers(self) -> dict[str, str]:
        """None: the proof stands in the form."""
        return {}

    def parameters(self) -> dict[str, str]:
        """``client_assertion`` and its type: a fresh ``jti``, 60 seconds of life, the issuer as the only audience.

        "the issuer identifier of the authorization server as the sole value" (RFC 10070 section 4): an assertion that a
        malicious server obtains is good at that server alone (CVE-2025-27370).
        """
        own = self.credential
        payload = client_assertion.build(own.client_id, own.issuer, now=self._clock(), jti=self._jti())
        assertion = jws.sign(payload, own.key, typ=client_assertion.TYP)
        return {"client_assertion_type": client_assertion.ASSERTION_TYPE, "client_assertion": assertion}
