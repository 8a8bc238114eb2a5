"""Tells applications that a session ended: OpenID Connect Back-Channel Logout 1.0 sections 2.5 and 2.8."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from ostiary.authorization_server.deliverer import Undeliverable
from ostiary.authorization_server.identifiers import new_jti
from ostiary.errors import Unavailable
from ostiary.model.delivery import Delivery
from ostiary.model.logout_notice import LogoutNotice
from ostiary.protocol import jws, logout_token

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer
    from ostiary.fetching.guarded import Fetched

PURPOSE: Final = "backchannel_logout"
_GOOD = frozenset((200, 204))


class Poster(Protocol):
    """What posts a form to a URL that somebody registered: the guarded fetcher."""

    async def post(self, url: str, form: Mapping[str, str], *, purpose: str) -> Fetched: ...


def handler(server: AuthorizationServer, fetcher: Poster) -> Callable[[Delivery], Awaitable[None]]:
    """What sends a logout token for each delivery."""

    async def send(delivery: Delivery) -> None:
        notice = LogoutNotice.of(delivery)
        await server.registry.current()
        client = await server.registry.client(notice.client_id)
        login = client.login if client is not None and client.state == "active" else None
        if login is None or login.backchannel_logout_uri is None:
            raise Undeliverable(f"client {notice.client_id} does not want it any more")
        now = server.clock()
        payload = logout_token.build(
            issuer=server.issuer,
            client_id=notice.client_id,
            subject=notice.sub,
            session_id=notice.sid,
            jti=new_jti(now),
            now=int(now),
        )
        token = jws.sign(payload, server.signing_keys.current(login.id_token_alg), typ=logout_token.TYP)
        answer = await fetcher.post(login.backchannel_logout_uri, {"logout_token": token}, purpose=PURPOSE)
        if answer.status == 400:
            # 2.8: "If the logout request was invalid or the logout failed, the RP MUST respond with HTTP 400".
            raise Undeliverable(f"client {notice.client_id} refused the logout token")
        if answer.status not in _GOOD:
            raise Unavailable("back-channel logout", f"client {notice.client_id} answered {answer.status}")

    return send
