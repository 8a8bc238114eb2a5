"""An application with users, as its developer writes it: the code flow with PKCE, the refresh, and the sign-out.

RFC 6749 section 4.1, RFC 7636; it is a public client, as a command-line or mobile application is (RFC 8252).
"""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from demo.browser import Browser
from demo.checks import StepFailed, expect
from ostiary.protocol import base64url, pkce

CLIENT_ID = "orders-app"
CALLBACK, GOODBYE = "http://127.0.0.1/callback", "http://127.0.0.1/goodbye"
"""An application of this kind may listen on any port there (RFC 8252 7.3); the demo only looks at the address."""

SCOPE = "openid profile orders:read orders:write"


class Application:
    """``orders-app`` at one issuer, for one API."""

    def __init__(self, issuer: str, api: str) -> None:
        self.issuer = issuer
        self.api = api
        self._verifier = ""
        self._state = ""
        self._nonce = ""

    def authorize_url(self, max_age: int | None = None) -> str:
        """Where the application sends the user's browser. max_age: how old their sign-in may be, in seconds."""
        self._verifier, self._state, self._nonce = (secrets.token_urlsafe(32) for _ in range(3))
        parameters = {
            "client_id": CLIENT_ID,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": SCOPE,
            "resource": self.api,
            "state": self._state,
            "nonce": self._nonce,
            "code_challenge": pkce.challenge(self._verifier),
            "code_challenge_method": pkce.S256,
        }
        if max_age is not None:
            parameters["max_age"] = str(max_age)
        return f"{self.issuer}/authorize?{urlencode(parameters)}"

    def redeem(self, came_back: str) -> dict[str, Any]:
        """The tokens for the code in the address to which the browser came back. Raises StepFailed."""
        answer = {name: values[0] for name, values in parse_qs(urlsplit(came_back).query).items()}
        if "code" not in answer:
            raise StepFailed(f"no code came back: {answer}")
        # RFC 9700 2.1 and RFC 9207 2.4: is it the answer to this application's own request, and from this issuer?
        expect("state", answer["state"], self._state)
        expect("iss", answer["iss"], self.issuer)
        response = self._ask(
            grant_type="authorization_code", code=answer["code"], redirect_uri=CALLBACK, code_verifier=self._verifier
        )
        tokens = _tokens(response)
        expect("nonce", claims(tokens["id_token"])["nonce"], self._nonce)
        return tokens

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """Fresh tokens. Raises StepFailed."""
        return _tokens(self.try_refresh(refresh_token))

    def try_refresh(self, refresh_token: str) -> httpx2.Response:
        """The answer to a refresh, good or bad."""
        return self._ask(grant_type="refresh_token", refresh_token=refresh_token)

    def logout_url(self, id_token: str) -> str:
        """Where the application sends the browser to sign out: OpenID Connect RP-Initiated Logout 1.0 section 2."""
        asked = {"id_token_hint": id_token, "post_logout_redirect_uri": GOODBYE}
        return f"{self.issuer}/logout?{urlencode(asked)}"

    def _ask(self, **form: str) -> httpx2.Response:
        return httpx2.post(f"{self.issuer}/token", data={"client_id": CLIENT_ID, **form}, timeout=30.0)


def sign_in(browser: Browser, url: str, username: str, password: str) -> tuple[str, list[str]]:
    """Go through the pages as the user does: where the browser is sent in the end, and the forms that were sent."""
    arrived = browser.open(url)
    sent: list[str] = []
    while arrived is None:
        shown = browser.forms()
        form = next((name for name in ("sign-in-form", "consent-form") if name in shown and name not in sent), None)
        if form is None:
            raise StepFailed(f"an unexpected page, {browser.url}: {browser.text[:500]}")
        sent.append(form)
        typed = {"username": username, "password": password} if form == "sign-in-form" else {"decision": "allow"}
        arrived = browser.send(form, **typed)
    return arrived, sent


def claims(token: str) -> dict[str, Any]:
    """What a JWT says. Its signature is not verified here: it came straight from the issuer (OpenID Core 3.1.3.7)."""
    told: dict[str, Any] = json.loads(base64url.decode(token.split(".")[1].encode()))
    return told


def _tokens(response: httpx2.Response) -> dict[str, Any]:
    if response.status_code != 200:
        raise StepFailed(f"the token endpoint answered {response.status_code}: {response.text}")
    tokens: dict[str, Any] = response.json()
    return tokens
