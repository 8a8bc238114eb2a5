"""The first operator: the admin API and a client that may use it; possible only from the machine itself."""

from __future__ import annotations

import json

from ostiary.admin.apis import add_api
from ostiary.admin.clients import add_client
from ostiary.admin.commands import NewApi, NewClient, NewKey
from ostiary.admin.limits import Limits
from ostiary.audit import tags
from ostiary.authorization_server.admin_resource import SCOPES, admin_identifier
from ostiary.model.client import Client
from ostiary.protocol.jwk import VerificationKey
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage

ADMIN_TOKEN_LIFE = 300  # seconds


async def bootstrap(
    storage: Storage, limits: Limits, issuer: str, client_id: str, key: VerificationKey, act: Act
) -> Client:
    """Make the admin API, unless it is there, and an admin client with ``key``.

    Its tokens are reference tokens: what an operator loses ends at once. Raises ConfigurationError if the id is taken.
    """
    identifier = admin_identifier(issuer)
    async with storage.write() as work:
        if await work.apis.get(identifier) is None:
            api = NewApi(
                identifier=identifier,
                name="Ostiary admin API",
                scopes=SCOPES,
                token_format="reference",
                token_life=min(ADMIN_TOKEN_LIFE, limits.max_life),
            )
            await add_api(work, limits, api, act)
        command = NewClient(
            client_id=client_id,
            name=f"{client_id} (operator)",
            scopes={identifier: sorted(SCOPES)},
            keys=[NewKey(key=json.dumps(key.public_jwk()))],
        )
        client = await add_client(work, limits, command, act)
        await work.audit.append(act.event(tags.ADMIN_BOOTSTRAPPED, client_id))
        return client
