"""A client's proof of itself by the certificate of its connection: RFC 8705 section 2."""

from __future__ import annotations

import time

from ostiary.client.assertion import Clock


class CertificateProof:
    """Names the client; TLS does the rest. Which of the two methods it is, the registration says."""

    method = "tls_client_auth"
    also = ("self_signed_tls_client_auth",)
    alg = None
    mutual_tls = True

    def __init__(self, issuer: str, client_id: str, *, clock: Clock = time.time) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._clock = clock

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def headers(self) -> dict[str, str]:
        """None."""
        return {}

    def parameters(self) -> dict[str, str]:
        """``client_id``, which "the client MUST include" (RFC 8705 section 2)."""
        return {"client_id": self.client_id}
