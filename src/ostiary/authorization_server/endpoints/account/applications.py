"""Takes back what the user allowed an application, with every grant and token of it."""

from __future__ import annotations

from ostiary.authorization_server.endpoints.account.visit import PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.revocation.users import revoke_consent


async def _applications(visit: Visit) -> Response:
    client_id = (visit.form or {}).get("client_id", "")
    async with visit.write() as work:
        ended = await revoke_consent(work, visit.user.user_id, client_id, visit.act)
    return visit.back("application_revoked" if ended else "")


ENDPOINT = Endpoint("account_applications", PATH + "/applications", ("POST",), visited(_applications))
