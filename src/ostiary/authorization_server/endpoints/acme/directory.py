"""The directory and new nonces: RFC 8555 sections 7.1.1 and 7.2."""

from __future__ import annotations

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.acme import answers
from ostiary.authorization_server.endpoints.acme.exchange import absent
from ostiary.authorization_server.endpoints.acme.urls import PATH, AcmeUrls
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Request, Response, json_response


async def _directory(server: AuthorizationServer, request: Request) -> Response:
    settings, urls = server.settings.acme, AcmeUrls(server.issuer)
    if not settings.enabled:
        return absent()
    meta: dict[str, object] = {"externalAccountRequired": settings.external_account_required}
    if settings.terms_of_service:
        meta["termsOfService"] = settings.terms_of_service
    members = {
        "newNonce": urls.of("new-nonce"),
        "newAccount": urls.of("new-account"),
        "newOrder": urls.of("new-order"),
        "revokeCert": urls.of("revoke-cert"),
        "keyChange": urls.of("key-change"),
        "renewalInfo": urls.of("renewal-info"),
        "meta": meta,
    }
    return json_response(members)


async def _new_nonce(server: AuthorizationServer, request: Request) -> Response:
    if not server.settings.acme.enabled:
        return absent()
    # Section 7.2: 200 (OK) to HEAD, 204 (No Content) to GET.
    status = 200 if request.method == "HEAD" else 204
    return Response(status, answers.headers(server, answers.JSON), b"")


DIRECTORY = Endpoint("acme_directory", f"{PATH}/directory", ("GET",), _directory)
NEW_NONCE = Endpoint("acme_new_nonce", f"{PATH}/new-nonce", ("HEAD", "GET"), _new_nonce)
