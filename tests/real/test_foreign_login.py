"""Clients that others wrote, unmodified, do the code flow to the end: redirect, sign-in, consent, tokens, refresh."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.sync_api import Browser

from tests.client.http_server import Reply, Server
from tests.real.visitor import WAIT, allow, arrive, sign_in
from tests.real.with_users import WithUsers, running_with_users

pytestmark = pytest.mark.real
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithUsers]:
    with running_with_users(tmp_path_factory.mktemp("dev")) as running:
        yield running


@pytest.fixture
def callback() -> Iterator[Server]:
    """Where an application gets its users back."""
    with Server() as server:
        server.routes["/callback"] = lambda _: Reply(200, b"back")
        yield server


@contextmanager
def visited(browser: Browser, served: WithUsers, url: str, back_at: str) -> Iterator[str]:
    """A user who signs in in a browser of their own; the URL that they come back to."""
    context = browser.new_context()
    try:
        yield arrive(context.new_page(), url, served.user, back_at)
    finally:
        context.close()


def orders(served: WithUsers, token: str) -> Any:
    """What the API tells the bearer of ``token``; it admits only what it has verified."""
    answer = httpx2.get(f"{served.api}/orders", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_openid_client_signs_a_user_in(
    served: WithUsers, browser: Browser, callback: Server, node_program: Path, foreign_clients: Path
) -> None:
    redirect_uri = f"{callback.url}/callback"
    # A web application under ostiary dev may live on loopback.
    served.application("web", redirect_uri, "--generate", "web.json")
    file = served.dev.folder / "web.json"

    def step(name: str, given: object) -> Any:
        arguments = [foreign_clients, name, served.dev.issuer, file, redirect_uri, served.api]
        command = [str(part) for part in (node_program, HERE / "openid_client_login.mjs", *arguments)]
        ran = subprocess.run(
            command, input=json.dumps(given), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    begun = step("begin", {})
    with visited(browser, served, begun["url"], redirect_uri) as back:
        told = step("finish", {"kept": begun["kept"], "back": back})
        assert told["rotated"] is True
        assert told["userinfo"]["sub"] == told["claims"]["sub"]
        assert told["userinfo"]["name"] == "Demo User"
        assert told["claims"]["acr"] == "urn:ostiary:acr:one-factor"
        assert orders(served, told["access_token"]) == {"orders of": told["claims"]["sub"]}


def test_oidc_client_ts_signs_a_user_in_from_a_single_page(
    served: WithUsers, browser: Browser, callback: Server, foreign_clients: Path
) -> None:
    served.application("spa", f"{callback.url}/", "--public", "--type", "browser")
    library = foreign_clients / "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"
    settings = json.dumps(json.dumps({"issuer": served.dev.issuer, "api": served.api}))
    script = (HERE / "single_page.js").read_text().replace("SETTINGS", settings)
    callback.routes["/"] = lambda _: Reply(200, (HERE / "single_page.html").read_bytes(), {"Content-Type": "text/html"})
    callback.routes["/page.js"] = lambda _: Reply(200, script.encode(), {"Content-Type": "text/javascript"})
    callback.routes["/oidc-client-ts.min.js"] = lambda _: Reply(
        200, library.read_bytes(), {"Content-Type": "text/javascript"}
    )
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{callback.url}/")
    page.locator("#sign-in").click()
    sign_in(page, served.user)
    allow(page)
    page.wait_for_function("document.getElementById('told')?.textContent", timeout=WAIT)
    told = json.loads(page.locator("#told").inner_text())
    context.close()
    assert "error" not in told, told
    assert (told["name"], told["renewed"], told["rotated"]) == ("Demo User", True, True)
    assert told["orders"] == {"orders of": told["sub"]}


def test_authlib_signs_a_user_in(served: WithUsers, browser: Browser, callback: Server) -> None:
    redirect_uri = f"{callback.url}/callback"
    served.application("authlib", redirect_uri, "--generate", "authlib.secret", "--secret-method", "basic")
    secret = json.loads((served.dev.folder / "authlib.secret").read_text())["client_secret"]
    metadata = httpx2.get(f"{served.dev.issuer}/.well-known/openid-configuration").json()
    session = OAuth2Session(
        "authlib", secret, redirect_uri=redirect_uri, scope="openid profile orders:read", code_challenge_method="S256"
    )
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    url, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, resource=served.api
    )
    with visited(browser, served, url, redirect_uri) as back:
        tokens = session.fetch_token(
            metadata["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state
        )
        keys = KeySet.import_key_set(httpx2.get(metadata["jwks_uri"]).json())
        decoded = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"])
        wanted = {"iss": {"values": [served.dev.issuer]}, "aud": {"values": ["authlib"]}}
        parameters = {"nonce": nonce, "client_id": "authlib", "access_token": tokens["access_token"]}
        claims = CodeIDToken(decoded.claims, decoded.header, wanted, parameters)
        claims.validate(leeway=10)
        userinfo = session.get(metadata["userinfo_endpoint"]).json()
        assert (userinfo["sub"], userinfo["name"]) == (claims["sub"], "Demo User")
        assert orders(served, tokens["access_token"]) == {"orders of": claims["sub"]}
        renewed = session.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
        assert renewed["refresh_token"] != tokens["refresh_token"]
        assert orders(served, renewed["access_token"]) == {"orders of": claims["sub"]}
