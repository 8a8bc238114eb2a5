"""Keys of clients in the central store: added with an overlap; ending them is in ``revocation``."""

from __future__ import annotations

import json

from ostiary.admin.commands import NewKey
from ostiary.admin.existing import existing_client
from ostiary.audit import tags
from ostiary.authorization_server.certificate_keys import certificate_key
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model import names
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.protocol import certificate
from ostiary.protocol.jwk import VerificationKey, parse_public_key, parse_public_keys
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork


async def add_keys(storage: Storage, client_id: str, command: NewKey, act: Act) -> list[ClientKey]:
    """Register the public keys of ``command``; the present ones stay, so that both work while the client changes over.

    Raises ConfigurationError: unknown client, a key that is weak, private, symmetric or already registered.
    """
    async with storage.write() as work:
        client = await existing_client(work, client_id)
        return await register_keys(work, client, command, act)


async def register_keys(work: UnitOfWork, client: Client, command: NewKey, act: Act) -> list[ClientKey]:
    """The same for a client that was read or made in this unit of work."""
    keys = keys_of_command(client, command, int(act.now))
    for key in keys:
        await work.client_keys.add(key)
        await work.audit.append(
            act.event(tags.CLIENT_KEY_ADDED, client.client_id, kid=key.kid, thumbprint=key.thumbprint, owner=key.owner)
        )
    return keys


def keys_of_command(client: Client, command: NewKey, now: int) -> list[ClientKey]:
    """The records of the keys that ``command`` holds. Raises ConfigurationError."""
    not_before = command.not_before if command.not_before is not None else now
    if command.expires_at is not None and command.expires_at <= max(now, not_before):
        raise ConfigurationError(
            "the key would expire before it may be used: its end must lie in the future and after its beginning"
        )
    if command.certificate is not None:
        return _certificates(client, command, command.certificate, now)
    parsed = parse_keys(command)
    if not parsed:
        raise ConfigurationError("this key is refused: there is no key in the document")
    for key in parsed:
        try:
            names.one_line(key.kid)
        except ValueError as error:
            raise ConfigurationError(f"this key is refused: its kid {error}") from None
    return [
        ClientKey(
            client_id=client.client_id,
            kid=key.kid,
            thumbprint=key.thumbprint,
            alg=key.alg,
            jwk=json.dumps(key.public_jwk()),
            source="registered",
            state="active",
            owner=command.owner or client.owner,
            not_before=not_before,
            expires_at=command.expires_at,
            parent=None,
            created_at=now,
            last_used_at=None,
            tenant=client.tenant,
        )
        for key in parsed
    ]


def _certificates(client: Client, command: NewKey, text: str, now: int) -> list[ClientKey]:
    try:
        found = certificate.read_pem(text.encode())
        for one in found:
            certificate.check_period(one, max(now, one.not_before))
        if command.kid is not None and len(found) != 1:
            raise ConfigurationError(f"a kid is given for {len(found)} certificates: give it for one")
        return [
            certificate_key(
                one,
                client,
                now=now,
                source="registered",
                kid=command.kid,
                owner=command.owner,
                not_before=command.not_before,
                expires_at=command.expires_at,
            )
            for one in found
        ]
    except VerificationError as error:
        mend = error.mend or f"expected: {error.expected}"
        raise ConfigurationError(f"this certificate is refused; seen: {error.seen}; {mend}") from None


def parse_keys(command: NewKey) -> list[VerificationKey]:
    """Parse JWK, JWKS or PEM text. Raises ConfigurationError with the reason and the mend."""
    try:
        # A kid or an algorithm can be said of one key only.
        text = command.key or ""
        if command.kid is not None or command.alg is not None:
            return [parse_public_key(text, kid=command.kid, alg=command.alg)]
        return parse_public_keys(text)
    except VerificationError as error:
        seen = f"; seen: {error.seen}" if error.seen else ""
        mend = error.mend or (f"expected: {error.expected}" if error.expected else "")
        raise ConfigurationError(f"this key is refused{seen}" + (f"; {mend}" if mend else "")) from None
