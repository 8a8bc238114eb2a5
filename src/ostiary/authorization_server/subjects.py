"""What a user is called at a client: OpenID Connect Core 1.0 section 8."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ostiary.model.client import USER_SUBJECT_PREFIX, Client
from ostiary.protocol import base64url

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

_PURPOSE = "pairwise subject"


def subject_for(server: AuthorizationServer, user_id: str, client: Client) -> str:
    """``sub`` of the user at ``client``: their own id, or one that no two sectors share.

    Core 8.1: "The Subject Identifier value MUST NOT be reversible by any party other than the OpenID Provider. Distinct
    Sector Identifier values MUST result in distinct Subject Identifier values. The algorithm MUST be deterministic."
    """
    login = client.login
    if login is None or login.subject_type == "public":
        return user_id
    sector = login.sector or (urlsplit(login.redirect_uris[0]).hostname or "" if login.redirect_uris else "")
    digest = server.seals.mac(_PURPOSE, f"{sector}\0{user_id}".encode())
    return f"{USER_SUBJECT_PREFIX}p{base64url.encode(digest[:24]).decode('ascii')}"
