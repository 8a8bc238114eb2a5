"""Which keys may have signed for a client: static, registered and published ones, always those of this client alone.

One thing is asked of the others' keys: a key that was revoked, whosever it was, proves nobody who publishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ostiary.authorization_server.client_authentication.base import refused
from ostiary.authorization_server.registry import StoredKey
from ostiary.errors import VerificationError
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.protocol.checks import KEY
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.jws import Header

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

log = logging.getLogger("ostiary.authorization_server")
MAX_TRIES = 4
MAX_GENERATIONS = 64


class CandidateKey(NamedTuple):
    """A key that may have signed. records: its own in the store and those of its ancestors; empty if only published.

    orphan: whether an ancestor is missing, or the line is too long to be believed.
    """

    key: VerificationKey
    records: tuple[ClientKey, ...] = ()
    orphan: bool = False


async def candidates(server: AuthorizationServer, client: Client, header: Header) -> list[CandidateKey]:
    """The keys of ``client`` to try for a signature with this header, unusable ones among them: see ``check_usable``.

    Stored keys come before published ones. Raises Unavailable if a published set is needed and cannot be had.
    """
    stored = await _bare_keys(server, client)
    found = _stored(stored, header)
    if not found and client.jwks_uri is not None:
        published = await server.published_keys.find(client, header.kid)
        found = await _published(server, published, stored, header)
    return found


async def usable_keys(server: AuthorizationServer, client: Client, kid: str | None, now: float) -> list[CandidateKey]:
    """The keys by which ``client`` may prove itself now: all, or those called ``kid``."""
    stored = await _bare_keys(server, client)
    found = [_with_ancestors(key, stored) for key in stored if kid is None or key.record.kid == kid]
    if client.jwks_uri is not None and not (kid and found):
        known = {key.record.kid for key in stored}
        published = await _fetched(server, client, kid)
        found += [await _as_candidate(server, key, stored) for key in published if key.kid not in known]
    return [key for key in found if fault(key, now) is None]


async def _bare_keys(server: AuthorizationServer, client: Client) -> list[StoredKey]:
    """Its stored keys without those in certificates, which prove it by TLS alone and sign nothing."""
    return [key for key in await server.registry.client_keys(client.client_id) if key.record.certificate is None]


async def _fetched(server: AuthorizationServer, client: Client, kid: str | None) -> Sequence[VerificationKey]:
    try:
        return await server.published_keys.find(client, kid)
    except VerificationError as error:
        # The client's fault, not that of the API which asks: a set that is refused holds no key.
        log.warning("the keys that client %s publishes are refused: %s", client.client_id, error)
        return ()


def check_usable(candidate: CandidateKey, now: float) -> None:
    """Refuse a key that signed well but may not prove its client at this time. Raises OAuthError("invalid_client")."""
    seen = fault(candidate, now)
    if seen is not None:
        raise refused(
            KEY,
            seen=seen,
            expected="an active key within its time, whose parents are too",
            mend="use a current key of the client, or register one",
            public="the key may not be used",
        )


def fault(candidate: CandidateKey, now: float) -> str | None:
    """Why the key may not prove its client at this time, None if it may."""
    if candidate.orphan:
        return "its parent is gone"
    for generation, record in enumerate(candidate.records):
        name = "the key" if generation == 0 else "its parent"
        if record.state != "active":
            return f"{name} is {record.state}"
        if not record.usable(now):
            return f"{name} is valid from {record.not_before} until {record.expires_at}"
    return None


def _stored(stored: Sequence[StoredKey], header: Header) -> list[CandidateKey]:
    if header.kid is not None:
        return [_with_ancestors(key, stored) for key in stored if key.record.kid == header.kid]
    of_algorithm = [key for key in stored if key.key.alg == header.alg]
    of_algorithm.sort(key=lambda key: (key.record.state != "active", -key.record.created_at))
    return [_with_ancestors(key, stored) for key in of_algorithm[:MAX_TRIES]]


async def _published(
    server: AuthorizationServer, published: Sequence[VerificationKey], stored: Sequence[StoredKey], header: Header
) -> list[CandidateKey]:
    named = [key for key in published if (key.alg if header.kid is None else key.kid) == (header.kid or header.alg)]
    return [await _as_candidate(server, key, stored) for key in named[:MAX_TRIES]]


async def _as_candidate(server: AuthorizationServer, key: VerificationKey, stored: Sequence[StoredKey]) -> CandidateKey:
    # A key that was retired or revoked in the store does not come back because its client still publishes it.
    for known in stored:
        if known.record.thumbprint == key.thumbprint:
            return _with_ancestors(known, stored)._replace(key=key)
    # A revoked key is in the hands of a stranger, whichever client lost it; that another client merely retired it says
    # nothing about this one.
    revoked = await server.registry.revoked_key(key.thumbprint)
    return CandidateKey(key) if revoked is None else CandidateKey(key, (revoked,))


def _with_ancestors(key: StoredKey, stored: Sequence[StoredKey]) -> CandidateKey:
    if key.record.parent is None:
        return CandidateKey(key.key, (key.record,))
    records, by_thumbprint = [key.record], {other.record.thumbprint: other.record for other in stored}
    while records[-1].parent is not None:
        parent = by_thumbprint.get(records[-1].parent)
        if parent is None or len(records) >= MAX_GENERATIONS:
            return CandidateKey(key.key, tuple(records), orphan=True)
        records.append(parent)
    return CandidateKey(key.key, tuple(records))
