"""The metadata of the issuer: RFC 8414, and the same document where OpenID Connect Discovery 1.0 looks for it.

It says what exists, derived from ENDPOINTS, METHODS and GRANTS, and is made of configuration alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec

from ostiary.authorization_server import user_claims
from ostiary.authorization_server.authorization.request import OPENID_SCOPES
from ostiary.authorization_server.client_authentication import METHODS
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint, issuer_path
from ostiary.authorization_server.grants import GRANTS
from ostiary.authorization_server.http import Request, Response
from ostiary.model.client_login import ID_TOKEN_ALGORITHMS
from ostiary.protocol import pkce
from ostiary.settings.fields import SigningAlgorithm
from ostiary.user_authentication import acr

MAX_AGE = 300
HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", f"public, max-age={MAX_AGE}".encode()),
    (b"x-content-type-options", b"nosniff"),
)
# RFC 8414 2 knows members on client authentication for these endpoints alone.
_NAMED_AUTHENTICATION = ("token_endpoint", "introspection_endpoint", "revocation_endpoint")


def endpoint(published: Sequence[Endpoint]) -> Endpoint:
    """The endpoint that tells of those that are ``published``."""
    documents: dict[tuple[str, str | None], bytes] = {}

    async def handler(server: AuthorizationServer, request: Request) -> Response:
        mtls = server.settings.mtls
        key = server.issuer, mtls.public_url if mtls is not None else None
        if key not in documents:
            documents[key] = msgspec.json.encode(members(server.issuer, published) | aliases(key[1], published))
        return Response(200, HEADERS, documents[key])

    path = "/.well-known/oauth-authorization-server"
    return Endpoint("metadata", path, ("GET", "HEAD"), handler, places=_places, cross_origin=True)


def members(issuer: str, published: Sequence[Endpoint]) -> dict[str, object]:
    """The members of the metadata of ``issuer``."""
    found: dict[str, object] = {"issuer": issuer}
    found.update({one.metadata_key: one.url(issuer) for one in published if one.metadata_key})
    for one in published:
        if one.metadata_key in _NAMED_AUTHENTICATION:
            found.update(_authentication(one.metadata_key, one.public_clients))
    # RFC 9701 7: by which an introspection answer may be signed.
    found["introspection_signing_alg_values_supported"] = list(get_args(SigningAlgorithm))
    found["grant_types_supported"] = [grant.name for grant in GRANTS]
    # RFC 8705 3.3: "indicating server support for mutual-TLS client certificate-bound access tokens".
    found["tls_client_certificate_bound_access_tokens"] = True
    return found | _for_users()


def aliases(mtls_url: str | None, published: Sequence[Endpoint]) -> dict[str, object]:
    """Where clients with certificates go instead, if they have an address of their own.

    "A JSON object containing alternative authorization server endpoints that, when present, an OAuth client intending
    to do mutual TLS uses in preference to the conventional endpoints." RFC 8705 section 5
    """
    if mtls_url is None:
        return {}
    found = {one.metadata_key: one.url(mtls_url) for one in published if one.wants_certificates}
    return {"mtls_endpoint_aliases": found}


def _for_users() -> dict[str, object]:
    """RFC 8414 2, RFC 9207 3, OpenID Connect Discovery 3, RP-Initiated Logout 2.1, Back-Channel Logout 2.1."""
    return {
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "code_challenge_methods_supported": [pkce.S256],
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": list(OPENID_SCOPES),
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "userinfo_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "claim_types_supported": ["normal"],
        "claims_supported": ["sub", "iss", "auth_time", "acr", "amr", "sid", *sorted(user_claims.STANDARD)],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "acr_values_supported": list(acr.LEVELS),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    }


def _authentication(name: str, public_clients: bool) -> dict[str, list[str]]:
    methods = [method for method in METHODS if method.proves or public_clients]
    # "Servers SHOULD support 'RS256'. The value 'none' MUST NOT be used." RFC 8414 2; the member MUST be present where
    # a method with signatures is.
    algorithms = sorted({alg for method in methods for alg in method.signing_algorithms})
    found = {f"{name}_auth_methods_supported": [method.name for method in methods]}
    return found | ({f"{name}_auth_signing_alg_values_supported": algorithms} if algorithms else {})


def _places(issuer: str) -> tuple[str, ...]:
    # "any terminating '/' MUST be removed before inserting '/.well-known/' and the well-known URI suffix between the
    # host component and the path component" RFC 8414 3.1; OpenID Connect Discovery 4 appends, MCP tries both.
    path = issuer_path(issuer)
    places = (
        f"/.well-known/oauth-authorization-server{path}",
        f"/.well-known/openid-configuration{path}",
        f"{path}/.well-known/openid-configuration",
    )
    return tuple(dict.fromkeys(places))
