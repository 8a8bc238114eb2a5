"""Users, applications and sign-ins for the world of the tests."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from ostiary.authorization_server.browser import cookies
from ostiary.model.client import Client
from ostiary.model.client_login import ClientLogin
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.protocol import pkce, token_format
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import session as sessions
from ostiary.user_authentication.session import SignIn
from tests.authorization_server.browser import Browser, any_of
from tests.authorization_server.world import ORDERS, Answer, World

CALLBACK = "https://app.example.com/callback"
VERIFIER = base64.urlsafe_b64encode(b"v" * 32).decode().rstrip("=")
LOGIN = ClientLogin(redirect_uris=(CALLBACK,))


def add_user(world: World, name: str = "ada", **changes: Any) -> User:
    """A user without any factor; ``sign_in`` puts a session of theirs into a browser."""
    user = User(
        user_id=f"usr_{name}",
        username=name,
        username_key=name.casefold(),
        state="active",
        email=f"{name}@example.com",
        email_verified=True,
        claims={"name": name.title(), "locale": "en-GB"},
        created_at=int(world.clock()),
        updated_at=int(world.clock()),
    )
    user = replace(user, **changes)
    world.write(lambda work: work.users.add(user))
    return user


def add_application(world: World, client_id: str = "app", **changes: Any) -> Client:
    """A confidential web application for the orders, with refresh tokens."""
    login = replace(LOGIN, **changes.pop("login", {}))
    given: dict[str, Any] = {"grant_types": ("authorization_code", "refresh_token"), "login": login}
    return world.add_client(client_id, **(given | changes))


def sign_in(browser: Browser, user: User, amr: tuple[str, ...] = ("pwd",), *, step_up: bool = False) -> Session:
    """A session of ``user`` in ``browser``, as the sign-in page leaves it."""
    world = browser.world
    installation = world.run(world.server.registry.installation())
    browser_name, session_name = "__Host-ostiary-browser", "__Host-ostiary-session"
    known = browser.cookies.setdefault(browser_name, token_format.generate(token_format.BROWSER, installation))
    old = browser.cookies.get(session_name, "")
    new = token_format.generate(token_format.SESSION, installation)
    digests = cookies.BrowserSecrets(known, new)

    async def act(work: UnitOfWork) -> Session:
        begun = SignIn(
            user.user_id,
            amr,
            digests.session_digest,
            token_format.digest(old),
            digests.browser_digest,
            world.clock(),
            step_up=step_up,
        )
        session, _ = await sessions.begin(work, world.settings.sign_in, begun)
        return session

    session: Session = world.write(act)[0]
    browser.cookies[session_name] = new
    return session


def authorize_url(client_id: str = "app", /, **changes: Any) -> str:
    """An authorization request for the orders with an ID token; None leaves a parameter out."""
    parameters = {
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid orders:read",
        "state": "st-1",
        "nonce": "n-1",
        "code_challenge": pkce.challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    return f"/authorize?{urlencode(any_of(**(parameters | changes)))}"


def code_form(world: World, code: str, client_id: str = "app", /, **changes: Any) -> dict[str, str]:
    """The redemption of a code."""
    given = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return world.form(client_id, **(given | changes))


def redeem(world: World, code: str, client_id: str = "app", /, **changes: Any) -> Answer:
    """Redeem a code at the token endpoint."""
    return world.post("/token", code_form(world, code, client_id, **changes))


def refresh(world: World, token: str, client_id: str = "app", /, **changes: Any) -> Answer:
    """Exchange a refresh token."""
    return world.post("/token", world.form(client_id, grant_type="refresh_token", refresh_token=token, **changes))


def code_for(browser: Browser, url: str | None = None, *, consent: bool = True) -> str:
    """The code that the browser, whose user is signed in, brings back; consents where it is asked."""
    from tests.authorization_server.browser import query_of

    answer = browser.get(url or authorize_url())
    if consent and answer.status == 200 and b"consent-form" in answer.body:
        answer = browser.submit("consent-form", decision="allow")
    assert answer.status == 303, answer.body
    found = query_of(answer)
    assert "code" in found, found
    return found["code"]


def orders_claims(text: str) -> dict[str, Any]:
    """The claims of a JWT, unverified."""
    import json

    payload = text.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


__all__ = ["CALLBACK", "ORDERS", "VERIFIER", "add_application", "add_user", "authorize_url", "code_for", "sign_in"]
