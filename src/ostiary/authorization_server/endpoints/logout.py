"""Logout by an application: OpenID Connect RP-Initiated Logout 1.0.

With an ID token of a session in this very browser the session ends at once; without one the person is asked, because
anybody could have sent them here. The browser is sent back only to an address that the client registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.authorization.answer import form_targets, see_other
from ostiary.authorization_server.authorization.id_token_hint import verified_hint
from ostiary.authorization_server.browser import browser_forms, cookies
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import page
from ostiary.authorization_server.exchange import read_form
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client import Client
from ostiary.model.session import Session
from ostiary.protocol import claims as common
from ostiary.protocol.checks import shown
from ostiary.revocation import Act, revoke_session
from ostiary.user_authentication import session as sessions
from ostiary.user_authentication.pages import render

DECISION = "decision"
_PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A checked request. session_id: ``sid`` of the hint. target: where to go afterwards, "" for nowhere."""

    sent: dict[str, str]
    client: Client | None
    session_id: str
    target: str


@page
async def _logout(server: AuthorizationServer, request: Request) -> Response:
    posted = request.method == "POST"
    sent = read_form(request) if posted else forms.parse(request.query)
    secrets = cookies.read(server, request)
    await server.registry.current()
    asked = await _checked(server, {name: sent[name] for name in _PARAMETERS if name in sent})
    if posted and DECISION not in sent and not secrets.session:
        # A form on an application's page comes without our cookies (SameSite=Lax); on the way of a GET they come along.
        return see_other(f"{server.issuer.rstrip('/')}/logout?{urlencode(asked.sent)}")
    async with server.storage.read() as work:
        here = [session for session, _ in await sessions.of_browser(work, secrets, server.clock())]
    confirmed = posted and DECISION in sent
    if confirmed and browser_forms.read(server, request, secrets)[DECISION] != "sign_out":
        return see_other(server.issuer.rstrip("/") + "/account")
    if not confirmed and here and asked.session_id not in [session.session_id for session in here]:
        return await _question(server, request, secrets, asked)
    ending = here if confirmed else [session for session in here if session.session_id == asked.session_id]
    await _end(server, request, ending)
    return _done(server, request, secrets, asked, remaining=len(here) - len(ending))


async def _checked(server: AuthorizationServer, sent: dict[str, str]) -> _Asked:
    session_id, client_id = "", sent.get("client_id")
    hint = sent.get("id_token_hint")
    if hint is not None:
        try:
            claims = verified_hint(server, hint)
            audience = common.audiences(claims)[0]
        except VerificationError as error:
            raise _refused("id_token_hint", "the id_token_hint is no ID token of this server", error.seen) from None
        # 2: "When both client_id and id_token_hint are present, the OP MUST verify that the Client Identifier matches".
        if client_id not in (None, audience):
            raise _refused("client_id", "client_id is not the client of the id_token_hint", shown(client_id))
        client_id, session_id = audience, str(claims.get("sid", ""))
    client = await server.registry.client(client_id) if client_id is not None else None
    target = sent.get("post_logout_redirect_uri", "")
    registered = client.login.post_logout_redirect_uris if client is not None and client.login is not None else ()
    if target and target not in registered:
        # 3: "The OP MUST NOT perform post-logout redirection if the post_logout_redirect_uri value supplied does not
        # exactly match one of the previously registered post_logout_redirect_uris values."
        raise _refused("post_logout_redirect_uri", "the address to return to is not registered", shown(target))
    return _Asked(sent, client, session_id, target)


async def _question(server: AuthorizationServer, request: Request, secrets: BrowserSecrets, asked: _Asked) -> Response:
    secrets, headers = await cookies.lasting(server, secrets)
    return render(
        server,
        request,
        secrets,
        "sign-out",
        headers=headers,
        ui_locales=asked.sent.get("ui_locales", ""),
        form_targets=form_targets(asked.target) if asked.target else (),
        application=asked.client.name if asked.client is not None else "",
        fields=asked.sent,
        action=server.issuer.rstrip("/") + "/logout",
    )


async def _end(server: AuthorizationServer, request: Request, ending: list[Session]) -> None:
    address = client_address(server, request)
    personal = {"address": address} if address else {}
    for session in ending:
        act = Act(f"user:{session.user_id}", server.clock(), "signed out", personal=personal)
        async with server.storage.write() as work:
            await revoke_session(work, session.session_id, act)


def _done(
    server: AuthorizationServer, request: Request, secrets: BrowserSecrets, asked: _Asked, *, remaining: int
) -> Response:
    # A browser that brought no session loses none: else a form of any site, which comes without it, would take it away.
    headers: tuple[Header, ...] = (cookies.drop_session(server),) if secrets.session and not remaining else ()
    if not asked.target:
        login = asked.client.login if asked.client is not None else None
        return render(
            server,
            request,
            secrets,
            "signed-out",
            headers=headers,
            application=asked.client.name if asked.client is not None else "",
            home_uri=login.home_uri if login is not None else "",
        )
    state = {"state": asked.sent["state"]} if "state" in asked.sent else {}
    joint = "&" if "?" in asked.target else "?"
    return see_other(asked.target + (joint + urlencode(state) if state else ""), headers)


def _refused(check: str, public: str, seen: str) -> OAuthError:
    return OAuthError("invalid_request", public, check=check, seen=seen)


ENDPOINT = Endpoint("logout", "/logout", ("GET", "POST"), _logout, "end_session_endpoint")
