"""The metadata of the admin API as a protected resource: RFC 9728. Its challenges point here.

It stands at the issuer's address, where its URL leads; where the admin API itself listens it does not tell.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from ostiary.authorization_server.admin_resource import SCOPES, admin_identifier, metadata_url
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.metadata import HEADERS
from ostiary.authorization_server.http import Request, Response
from ostiary.protocol.metadata import ProtectedResourceMetadata


async def _answer(server: AuthorizationServer, _: Request) -> Response:
    document = ProtectedResourceMetadata(
        resource=admin_identifier(server.issuer),
        authorization_servers=[server.issuer],
        scopes_supported=sorted(SCOPES),
        bearer_methods_supported=["header"],
    )
    return Response(200, HEADERS, msgspec.json.encode(document))


def _places(issuer: str) -> tuple[str, ...]:
    return (urlsplit(metadata_url(issuer)).path,)


ENDPOINT = Endpoint(
    "admin_metadata", "/.well-known/oauth-protected-resource/admin", ("GET", "HEAD"), _answer, places=_places
)
