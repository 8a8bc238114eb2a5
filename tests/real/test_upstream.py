"""Sign-in through npm oidc-provider, in a browser without scripts; the server fetches over TLS that it verifies."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from ostiary.app import installation
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from ostiary.serving.prepare import prepare
from ostiary.settings import load_settings
from ostiary.user_authentication import accounts
from tests.real.own_certificate import certified
from tests.real.served import Served
from tests.real_parts.node import BENCH, locked_packages, node
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real
PASSWORD = "glass-otter-minute"
SECRET = "a-secret-of-thirty-two-characters"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the user ada and one provider under two names: by secret (ES256), and by key (RS256)."""
    folder = tmp_path_factory.mktemp("upstream")
    own = certified(folder)
    key = SigningKey.generate("ES256", kid="upstream")
    for name, content in (("secret", SECRET), ("key.jwk", json.dumps(key.private_jwk()))):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    port = free_port()
    provider = f'issuer = "https://localhost:{port}"'
    settings = {
        "fetching": ['allow_networks = ["127.0.0.0/8", "::1/128"]'],
        "upstream.works": [provider, 'client_id = "by-secret"', 'client_secret_file = "secret"', 'name = "Works"'],
        "upstream.keyed": [provider, 'client_id = "by-key"', 'private_key_file = "key.jwk"', 'name = "Keyed"'],
    }
    served = Served(folder, certificate=own.files, settings=settings)
    asyncio.run(_add_ada(served.config))
    with _oidc_provider(served, port, key), served.run({"SSL_CERT_FILE": str(folder / "ca.pem")}):
        yield served


@contextmanager
def _oidc_provider(served: Served, port: int, key: SigningKey) -> Iterator[Process]:
    shared: dict[str, object] = {"grant_types": ["authorization_code"], "response_types": ["code"]}
    clients: list[dict[str, object]] = [
        {
            "client_id": "by-secret",
            "client_secret": SECRET,
            "redirect_uris": [f"{served.issuer}/upstream/works/callback"],
            "id_token_signed_response_alg": "ES256",
        },
        {
            "client_id": "by-key",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [key.verification_key.public_jwk()]},
            "redirect_uris": [f"{served.issuer}/upstream/keyed/callback"],
            "id_token_signed_response_alg": "RS256",
        },
    ]
    configuration = {
        "port": port,
        "issuer": f"https://localhost:{port}",
        "clients": [client | shared for client in clients],
        "certificate": str(served.folder / "tls.pem"),
        "key": str(served.folder / "tls.key"),
        "modules": str(locked_packages(BENCH)),
    }
    file = served.folder / "provider.json"
    file.write_text(json.dumps(configuration))
    with Process([str(node()), str(HERE / "oidc_provider.mjs"), str(file)], cwd=served.folder) as process:
        process.wait_for_line("ready", seconds=30)
        yield process


async def _add_ada(config: Path) -> None:
    settings = load_settings(config, {})
    await prepare(settings)
    act = Act("cli", time.time())
    async with installation(settings) as parts:
        async with parts.storage.write() as work:
            user = await accounts.create_user(work, username="ada", act=act)
        passwords = parts.server.passwords
        await accounts.set_password(passwords, parts.storage, settings.sign_in, user.user_id, PASSWORD, act)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Of a browser that nobody has used before."""
    context = browser.new_context(java_script_enabled=False, ignore_https_errors=True, locale="en-GB")
    yield context.new_page()
    context.close()


def at_the_provider(page: Page, name: str, *, consent: bool = True) -> None:
    """Sign in on the provider's own pages, and consent."""
    page.wait_for_selector("input[name=login]")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "whatever")
    page.click("button[type=submit]")
    if consent:
        page.wait_for_selector("input[name=prompt][value=consent]", state="attached")
        page.click("button[type=submit]")


def sign_in(page: Page, served: Served, upstream: str, name: str, *, consent: bool = True) -> None:
    page.goto(f"{served.issuer}/sign-in")
    page.click(f"#upstream-{upstream} button")
    at_the_provider(page, name, consent=consent)


def test_a_user_links_an_account_and_signs_in_with_it(served: Served, page: Page, browser: Browser) -> None:
    page.goto(f"{served.issuer}/sign-in")
    page.fill("#username", "ada")
    page.fill("#password", PASSWORD)
    page.click("#sign-in-button")
    page.click("#link-works button")
    at_the_provider(page, "ada-at-works")
    page.wait_for_selector("#account-name")
    assert "The account elsewhere is linked" in page.inner_text("#done")

    for upstream in ("works", "keyed"):
        context = browser.new_context(java_script_enabled=False, ignore_https_errors=True, locale="en-GB")
        fresh = context.new_page()
        sign_in(fresh, served, upstream, "ada-at-works")
        fresh.wait_for_selector("#account-name")
        assert (fresh.inner_text("#account-name"), urlsplit(fresh.url).path) == ("ada", "/account")

        # To prove oneself again is to do so at the provider too, whatever session stands there.
        sign_in(fresh, served, upstream, "ada-at-works", consent=False)
        fresh.wait_for_selector("#account-name")
        context.close()


def test_somebody_whom_nobody_knows_is_told_how_to_link(served: Served, page: Page) -> None:
    sign_in(page, served, "works", "stranger")
    page.wait_for_selector("#message")
    assert "link the account elsewhere on your account page" in page.inner_text("#message")
    page.click("#next")
    assert urlsplit(page.url).path == "/sign-in"


def test_who_breaks_off_at_the_provider_may_try_again(served: Served, page: Page) -> None:
    page.goto(f"{served.issuer}/sign-in")
    page.click("#upstream-works button")
    page.wait_for_selector("input[name=login]")
    page.click("a[href*=abort]")
    page.wait_for_selector("#message")
    assert "You did not allow the sign-in there" in page.inner_text("#message")
