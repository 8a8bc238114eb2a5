"""What ACME accounts are bound with (RFC 8555 section 7.3.4): made here, told once, kept sealed."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from ostiary.audit import tags
from ostiary.authorization_server.seals import Seals
from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.binding import SEALED_FOR
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.acme import AcmeCredential
from ostiary.protocol import base64url
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage

_KEY_BYTES = 32
_ID_BYTES = 12


@dataclass(frozen=True, slots=True)
class MadeCredential:
    """A credential and its MAC key (base64url), for its owner alone."""

    credential: AcmeCredential
    key: str = field(repr=False)


async def create_credential(
    storage: Storage, seals: Seals, owner: str, dns: Sequence[str], networks: Sequence[str], act: Act
) -> MadeCredential:
    """A credential whose accounts may ask for names below ``dns`` and addresses in ``networks``.

    Raises ConfigurationError: nobody owns it, or it permits nothing, or something that is no name.
    """
    if not owner.strip():
        raise ConfigurationError("A credential needs an owner: name a person or team by --owner.")
    if not dns and not networks:
        raise ConfigurationError("A credential must permit something: name domains by --dns or networks by --network.")
    key_id, key = secrets.token_urlsafe(_ID_BYTES), secrets.token_bytes(_KEY_BYTES)
    credential = AcmeCredential(
        key_id=key_id,
        owner=owner.strip(),
        dns=tuple(map(_domain, dns)),
        networks=tuple(map(_network, networks)),
        sealed_key=seals.seal(SEALED_FOR, key, context=key_id.encode()),
        state="active",
        created_at=int(act.now),
    )
    async with storage.write() as work:
        await work.acme_credentials.add(credential)
        permitted = ", ".join((*credential.dns, *credential.networks))
        event = act.event(tags.ACME_CREDENTIAL_CREATED, key_id, owner=credential.owner, permitted=permitted)
        await work.audit.append(event)
    return MadeCredential(credential, base64url.encode(key).decode("ascii"))


async def revoke_credential(storage: Storage, key_id: str, act: Act) -> AcmeCredential:
    """Its accounts are refused from their next request on; their certificates stay. Raises ConfigurationError."""
    async with storage.write() as work:
        revoked = await work.acme_credentials.revoke(key_id, at=int(act.now))
        found = await work.acme_credentials.get(key_id)
        if found is None:
            raise ConfigurationError(f"There is no ACME credential {key_id!r}: see `ostiary acme eab list`.")
        if not revoked:
            raise ConfigurationError(f"The ACME credential {key_id} was revoked before.")
        await work.audit.append(act.event(tags.ACME_CREDENTIAL_REVOKED, key_id, owner=found.owner))
    return found


def _domain(name: str) -> str:
    try:
        return identities.value(identities.dns(name))
    except VerificationError as error:
        raise ConfigurationError(f"--dns {name!r}: {error.public}; expected {error.expected}.") from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ConfigurationError(f"--network {text!r} is no network: write it like 10.1.0.0/16.") from None
