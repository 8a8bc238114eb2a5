"""How clients prove themselves: each by the one method that is registered for it, never by a guess (RFC 6749 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.client_authentication import private_key_jwt
from ostiary.authorization_server.client_authentication.base import (
    Authenticated,
    Form,
    Method,
    invalid_client,
    refused,
)
from ostiary.authorization_server.http import Request
from ostiary.errors import VerificationError
from ostiary.trace import Trace

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

METHODS: tuple[Method, ...] = (private_key_jwt.METHOD,)

__all__ = ["METHODS", "Authenticated", "Method", "authenticate"]


async def authenticate(
    server: AuthorizationServer, request: Request, form: Form, trace: Trace, now: float
) -> Authenticated:
    """The client that proves itself by this request.

    now: seconds since the epoch. Raises OAuthError("invalid_client", 401), Unavailable.
    """
    method = _presented_method(request, form)
    try:
        attempt = method.attempt(form)
        trace.context["client_id"] = attempt.client_id
        client = await server.registry.client(attempt.client_id)
        if client is not None and client.authentication_method != method.name:
            client = None
        return await attempt.prove(server, client, now, trace.note)
    except VerificationError as error:
        raise invalid_client(error) from None


def _presented_method(request: Request, form: Form) -> Method:
    presented = [method for method in METHODS if method.presented(request, form)]
    other = "client_secret" in form or b"authorization" in request.headers
    # "The client MUST NOT use more than one authentication method in each request." RFC 6749 2.3
    if len(presented) == 1 and not other:
        return presented[0]
    raise refused(
        "method",
        seen="a secret or an Authorization header" if other else "no credential",
        expected=" or ".join(method.name for method in METHODS),
        mend="authenticate by the client's registered method and by nothing beside it",
        public="authenticate by private_key_jwt alone" if other else "client authentication is required",
        basic=request.headers.get(b"authorization", b"")[:6].lower() == b"basic ",
    )
