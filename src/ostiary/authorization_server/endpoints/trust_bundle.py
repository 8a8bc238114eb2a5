"""The trust bundle of this installation's SPIFFE trust domain: SPIFFE Trust Domain and Bundle, profile https_web."""

from __future__ import annotations

from typing import Final

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.certificate_authority import published
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import Unavailable
from ostiary.protocol import spiffe_bundle

PATH: Final = "/spiffe/bundle.json"
_TRIES = 5


async def _handler(server: AuthorizationServer, request: Request) -> Response:
    if server.settings.certificate_authority.trust_domain is None:
        return published.absent("this installation is no SPIFFE trust domain")
    sequence = await _refreshed(server)
    max_age = server.settings.keys.jwks_max_age
    document = spiffe_bundle.build(
        [root.certificate for root in server.authorities.roots()],
        server.signing_keys.published("jwt-svid"),
        sequence,
        # A key stands here longer before its first use than anybody may keep this answer (settings, publish_before).
        max_age,
    )
    return published.document(request, document, b"application/json", max_age)


async def _refreshed(server: AuthorizationServer) -> int:
    """The position of the registry at which both parts of the bundle were read.

    "its value MUST be a monotonically increasing integer, and MUST be changed whenever the contents of the bundle are
    updated" (4.1.1): the position rises with every change of authorities, keys and clients, in all processes alike.
    """
    for _ in range(_TRIES):
        await server.authorities.refresh(await server.registry.current())
        if server.authorities.position == server.signing_keys.position:
            return server.signing_keys.position
    raise Unavailable("registry", "authorities and keys change faster than they are read")


ENDPOINT = Endpoint("trust_bundle", PATH, ("GET", "HEAD"), _handler)
