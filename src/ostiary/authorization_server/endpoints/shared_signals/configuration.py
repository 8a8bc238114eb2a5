"""What the transmitter says of itself, to everybody: SSF 1.0 section 7."""

from __future__ import annotations

import msgspec

from ostiary.authorization_server import signals_resource as resource
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints import jwks
from ostiary.authorization_server.endpoints.base import Endpoint, issuer_path
from ostiary.authorization_server.endpoints.metadata import HEADERS
from ostiary.authorization_server.http import Request, Response
from ostiary.shared_signals.streams import METHODS

OAUTH = "urn:ietf:rfc:6749"


def members(issuer: str) -> dict[str, object]:
    """The transmitter configuration metadata: SSF 1.0 section 7.1."""
    base = issuer.rstrip("/")
    return {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": jwks.ENDPOINT.url(issuer),
        "delivery_methods_supported": list(METHODS),
        "configuration_endpoint": base + resource.STREAMS_PATH,
        "status_endpoint": base + resource.STATUS_PATH,
        "add_subject_endpoint": base + resource.ADD_SUBJECT_PATH,
        "remove_subject_endpoint": base + resource.REMOVE_SUBJECT_PATH,
        "verification_endpoint": base + resource.VERIFICATION_PATH,
        "critical_subject_members": ["user"],
        "authorization_schemes": [{"spec_urn": OAUTH}],
        # Of the users whom a receiver knows it is told without asking; strangers cannot be added.
        "default_subjects": "ALL",
    }


async def _answer(server: AuthorizationServer, _: Request) -> Response:
    return Response(200, HEADERS, msgspec.json.encode(members(server.issuer)))


def _places(issuer: str) -> tuple[str, ...]:
    # 7.2: "inserting /.well-known/ssf-configuration into the Issuer between the host component and the path component"
    return (f"/.well-known/ssf-configuration{issuer_path(issuer)}",)


ENDPOINT = Endpoint(
    "ssf_configuration", "/.well-known/ssf-configuration", ("GET", "HEAD"), _answer, places=_places, cross_origin=True
)
