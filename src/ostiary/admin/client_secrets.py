"""Client secrets: made here, told once, kept as a SHA-256; for clients that can do no better (RFC 6749 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ostiary.admin.existing import registered_client
from ostiary.audit import tags
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.model.client import Client
from ostiary.model.login_rules import SECRET_METHODS
from ostiary.protocol import token_format
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork


@dataclass(frozen=True, slots=True)
class MadeClient:
    """A client as it was registered, and its new secret, for its owner alone; None for one that has no secret."""

    client: Client
    secret: str | None = field(default=None, repr=False)


async def new_secret(work: UnitOfWork) -> str:
    """A secret that no client has yet, 256 random bits."""
    installation = await work.setting("installation_id")
    if not installation:
        raise Unavailable("storage", "the database has no installation_id: run its migrations")
    return token_format.generate(token_format.CLIENT_SECRET, installation)


async def renew_secret(storage: Storage, client_id: str, act: Act) -> MadeClient:
    """Give the client a new secret; the old one is refused from its next request on. Raises ConfigurationError."""
    async with storage.write() as work:
        client = await registered_client(work, client_id)
        if client.authentication_method not in SECRET_METHODS:
            raise ConfigurationError(
                f"client {client_id!r} is registered for {client.authentication_method} and has no secret: a key is "
                f"better, see `ostiary client keys add {client_id} --generate FILE`"
            )
        secret = await new_secret(work)
        changed = replace(client, secret_digest=token_format.digest(secret), updated_at=int(act.now))
        await work.clients.replace(changed)
        await work.audit.append(act.event(tags.CLIENT_SECRET_MADE, client_id))
        return MadeClient(changed, secret)
