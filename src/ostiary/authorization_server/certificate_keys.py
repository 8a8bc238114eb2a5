"""A certificate as a key of its client in the key store, for ``self_signed_tls_client_auth``: RFC 8705 section 2.2."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric import rsa

from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey, KeySource
from ostiary.protocol.certificate import Certificate, public_key_of
from ostiary.protocol.jwk import parse_public_key
from ostiary.protocol.jwk_members import public_members


def certificate_key(
    certificate: Certificate,
    client: Client,
    *,
    now: int,
    source: KeySource,
    kid: str | None = None,
    owner: str = "",
    not_before: int | None = None,
    expires_at: int | None = None,
) -> ClientKey:
    """The record of ``certificate`` for ``client``; it ends with the certificate at the latest.

    kid: its thumbprint unless given. Times are seconds since the epoch. Raises VerificationError: a weak key.
    """
    key = public_key_of(certificate)
    # The key signs handshakes, no JWT; a JWK of RSA must name an algorithm all the same.
    alg = "PS256" if isinstance(key, rsa.RSAPublicKey) else None
    parsed = parse_public_key(public_members(key), kid=kid or certificate.thumbprint, alg=alg)
    end = certificate.not_after + 1
    return ClientKey(
        client_id=client.client_id,
        kid=parsed.kid,
        thumbprint=certificate.thumbprint,
        alg=parsed.alg,
        jwk=json.dumps(parsed.public_jwk()),
        source=source,
        state="active",
        owner=owner or client.owner,
        not_before=max(certificate.not_before, not_before or certificate.not_before),
        expires_at=end if expires_at is None else min(end, expires_at),
        parent=None,
        created_at=now,
        last_used_at=None,
        certificate=certificate.der,
        tenant=client.tenant,
    )
