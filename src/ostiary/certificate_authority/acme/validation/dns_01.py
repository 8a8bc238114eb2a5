"""dns-01 (RFC 8555 section 8.4): the digest of the key authorization stands in a TXT record below the name."""

from __future__ import annotations

import hashlib
import hmac

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.validation.failure import ChallengeFailed
from ostiary.certificate_authority.acme.validation.reach import Reach
from ostiary.protocol import base64url


async def validate(reach: Reach, identifier: str, token: str, key_authorization: str) -> None:
    """Raises ChallengeFailed. ``token`` is in the key authorization already."""
    name = f"_acme-challenge.{identities.value(identifier)}"
    expected = base64url.encode(hashlib.sha256(key_authorization.encode("ascii")).digest())
    # One of several records is enough (section 8.4).
    if not any(hmac.compare_digest(text, expected) for text in await reach.texts(f"{name}.")):
        raise ChallengeFailed("unauthorized", f"no TXT record of {name} is the expected digest")
