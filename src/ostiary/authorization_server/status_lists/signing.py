"""Signs a Token Status List by the installation's own key: draft-ietf-oauth-status-list-20 section 5.1."""

from __future__ import annotations

from typing import Final

from ostiary.key_management.base import Signer
from ostiary.protocol import jws, status_list
from ostiary.settings import Settings

PATH: Final = "/status-lists"
BITS: Final = 1
"""Revoked or not is all that there is to be told, and "all statuses other than VALID and INVALID are likely to contain
information with privacy implications" (section 12.8)."""


def aggregation_uri(issuer: str) -> str:
    """Where the addresses of all lists stand (section 9)."""
    return issuer.rstrip("/") + PATH


def uri(issuer: str, list_id: str) -> str:
    """The address of a list, which is its ``sub``."""
    return f"{aggregation_uri(issuer)}/{list_id}"


def signed(settings: Settings, signer: Signer, list_id: str, statuses: bytes, now: int) -> bytes:
    """The list with these statuses, good for ``status_lists.life`` seconds from ``now``."""
    payload = status_list.build(
        issuer=settings.issuer,
        uri=uri(settings.issuer, list_id),
        octets=statuses,
        bits=BITS,
        iat=now,
        exp=now + settings.status_lists.life,
        ttl=settings.status_lists.ttl,
        aggregation_uri=aggregation_uri(settings.issuer),
    )
    return jws.sign(payload, signer, typ=status_list.TYP).encode("ascii")
