"""Attack 20: a code or refresh token of one application in the hands of another, by whatever method that proves itself.

CVE-2026-118669: the server authenticated one client and took its decision for the one that ``client_id`` named.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.authorization_server.client_authentication import METHODS
from ostiary.authorization_server.trust_bundles import TrustBundles
from ostiary.model.mutual_tls import MutualTls
from ostiary.protocol import token_format
from ostiary.settings.spiffe import BundleSettings
from tests.authorization_server.applications import CALLBACK, VERIFIER, add_application, add_user, code_for, sign_in
from tests.authorization_server.applications import authorize_url as url_of
from tests.authorization_server.browser import Browser
from tests.authorization_server.certificates import authority, leaf, self_signed
from tests.authorization_server.world import Answer, World, shop_world
from tests.endpoints.test_self_signed_tls_client_auth import register
from tests.endpoints.test_tls_client_auth import DNS, trust
from tests.spiffe.test_spiffe_jwt import PEER, PEER_KEY, TYPE, Remote, svid, write_bundle

SECRETS = {method.name: token_format.digest(method.name).hex() for method in METHODS}
APPLICATIONS = [method.name for method in METHODS]
ROOT, SELF_SIGNED = authority(), self_signed()
CERTIFICATES = {"tls_client_auth": leaf(ROOT, DNS).der, "self_signed_tls_client_auth": SELF_SIGNED.der}
PAIRS = [(victim, thief) for victim in APPLICATIONS for thief in APPLICATIONS if victim != thief]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One application for each method, called as the method is; and a user who is signed in at ``browser``."""
    with shop_world(tmp_path) as built:
        for method in APPLICATIONS:
            add_application(
                built,
                method,
                key=f"{method}-1" if method == "private_key_jwt" else None,
                authentication_method=method,
                secret_digest=token_format.digest(SECRETS[method]) if "secret" in method else None,
                spiffe_id=PEER if method == "spiffe_jwt" else None,
                mutual_tls=MutualTls("san_dns", DNS.value) if method == "tls_client_auth" else MutualTls(),
            )
        trust(built, ROOT)
        register(built, SELF_SIGNED, "self_signed_tls_client_auth")
        write_bundle(tmp_path / "peer.json", PEER_KEY)
        bundles = {"peer.example": BundleSettings(file=tmp_path / "peer.json")}
        built.server.trust_bundles = TrustBundles(bundles, Remote(), built.clock)
        yield built


@pytest.fixture
def browser(world: World) -> Browser:
    made = Browser(world)
    sign_in(made, add_user(world))
    return made


def proof(world: World, method: str) -> tuple[dict[str, str], dict[str, str]]:
    """The form and the headers by which the application of this method authenticates."""
    pair = f"{method}:{SECRETS[method]}".encode()
    world.certificate = CERTIFICATES.get(method)
    match method:
        case "spiffe_jwt":
            return {"client_assertion_type": TYPE, "client_assertion": svid()}, {}
        case "private_key_jwt":
            return world.form(method), {}
        case "client_secret_basic":
            return {}, {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case "client_secret_post":
            return {"client_id": method, "client_secret": SECRETS[method]}, {}
        case _:
            return {"client_id": method}, {}


def ask(world: World, method: str, form: dict[str, str], **more: str) -> Answer:
    authenticating, headers = proof(world, method)
    return world.post("/token", form | authenticating | more, **headers)


def redemption(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
    }


def refreshing(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


@pytest.mark.parametrize("method", APPLICATIONS)
def test_each_application_gets_its_own_tokens(world: World, browser: Browser, method: str) -> None:
    first = ask(world, method, redemption(code_for(browser, url_of(method))))
    assert first.status == 200, first.body
    second = ask(world, method, refreshing(first.json["refresh_token"]))
    assert second.status == 200, second.body
    assert world.introspect(second.json["access_token"]).json["client_id"] == method


@pytest.mark.parametrize(("victim", "thief"), PAIRS)
def test_a_code_is_for_the_application_that_asked_for_it(
    world: World, browser: Browser, victim: str, thief: str
) -> None:
    """standards 15; RFC 6749 4.1.3"""
    answer = ask(world, thief, redemption(code_for(browser, url_of(victim))))
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant"), answer.body
    assert world.trace(answer).checks[-1].name == "client"


@pytest.mark.parametrize(("victim", "thief"), PAIRS)
def test_a_refresh_token_is_for_the_application_that_got_it(
    world: World, browser: Browser, victim: str, thief: str
) -> None:
    """standards 25; attack 28: CVE-2026-53512"""
    token = ask(world, victim, redemption(code_for(browser, url_of(victim)))).json["refresh_token"]
    answer = ask(world, thief, refreshing(token))
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant"), answer.body
    # And the attempt has not cost the owner anything.
    assert ask(world, victim, refreshing(token)).status == 200


# A certificate names nobody by itself, so over mutual TLS, too, anybody may name a public application.
NAMED = [
    (victim, thief) for victim, thief in PAIRS if thief != "none" and (victim, thief in CERTIFICATES) != ("none", True)
]


@pytest.mark.parametrize(("victim", "thief"), NAMED)
def test_the_name_beside_a_proof_changes_nothing(world: World, browser: Browser, victim: str, thief: str) -> None:
    """Whoever proves to be one and names another is refused before anything else is looked at."""
    code = code_for(browser, url_of(victim))
    authenticating, headers = proof(world, thief)
    answer = world.post("/token", redemption(code) | authenticating | {"client_id": victim}, **headers)
    # With the secret in the form, the name is part of the proof: then the secret is not the one of that client.
    assert (answer.status, answer.json["error"]) == (401, "invalid_client"), answer.body
    assert ask(world, victim, redemption(code)).status == 200


@pytest.mark.parametrize("victim", [method for method in APPLICATIONS if method != "none"])
@pytest.mark.parametrize("form", [redemption("x"), refreshing("x")])
def test_a_confidential_application_does_not_get_by_with_its_name(
    world: World, victim: str, form: dict[str, str]
) -> None:
    """ASVS 10.4.10, standards 25"""
    answer = world.post("/token", form | {"client_id": victim})
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_a_public_application_does_not_redeem_without_its_verifier(world: World, browser: Browser) -> None:
    """RFC 9700 2.1.1: PKCE is all that binds the code of a client that proves nothing."""
    form = redemption(code_for(browser, url_of("none")))
    del form["code_verifier"]
    answer = ask(world, "none", form)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
