"""Gives the script of the sign-in pages what it needs to ask the browser for a passkey: a fresh challenge, and whose.

It stands apart from the pages because they may stay open for longer than a challenge is good. It writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Request, Response, json_response
from ostiary.errors import OAuthError, VerificationError
from ostiary.user_authentication import passkey, sign_in

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


async def _passkey_options(server: AuthorizationServer, request: Request) -> Response:
    try:
        place = sign_in.place_of(server, request)
        # Whose passkeys there are is told to nobody but a user who has proved something already.
        user = await sign_in.half_way(place)
        async with server.storage.read() as work:
            factors = await work.factors.of_user(user.user_id) if user is not None else []
        return json_response(passkey.options(server, place.secrets, factors, place.now))
    except VerificationError as error:
        raise OAuthError(
            "invalid_request",
            error.public,
            check=error.check,
            seen=error.seen,
            expected=error.expected,
            mend=error.mend or "open the page again",
        ) from None


ENDPOINT = Endpoint("passkey_options", sign_in.PASSKEY_OPTIONS, ("GET",), _passkey_options)
