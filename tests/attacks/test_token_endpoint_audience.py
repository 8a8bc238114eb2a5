"""Audience injection: an assertion that was made for another server, or for a URL, must fail here (CVE-2025-27370)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.authorization_server.endpoints import ENDPOINTS
from tests.authorization_server.world import ISSUER, World, shop_world
from tests.endpoints.test_client_authentication import refused_by

WHERE_CLIENTS_AUTHENTICATE = [endpoint.path for endpoint in ENDPOINTS if endpoint.authenticates]
FURTHER = [f"{ISSUER}/{name}" for name in ("par", "device", "bc-authorize")]
URLS = [*(endpoint.url(ISSUER) for endpoint in ENDPOINTS), *FURTHER]
AUDIENCES: list[Any] = [
    *URLS,
    [ISSUER, "https://evil.example.com"],
    ["https://evil.example.com", ISSUER],
    [ISSUER, ISSUER],
    [*URLS, ISSUER],
    [],
    [[ISSUER]],
    {"iss": ISSUER},
    ISSUER + "/",
    ISSUER.upper(),
    ISSUER.replace("https", "HTTPS"),
    ISSUER.replace("https", "http"),
    ISSUER + ":443",
    ISSUER + " ",
    " " + ISSUER,
    ISSUER + "?",
    ISSUER + "#",
    ISSUER.replace("auth.", "auth%2E"),
    "https://evil.example.com",
    "",
    True,
    0,
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world."""
    with shop_world(tmp_path) as built:
        yield built


@pytest.mark.parametrize("path", WHERE_CLIENTS_AUTHENTICATE)
def test_only_the_issuer_alone_is_an_audience(world: World, path: str) -> None:
    """standards 1, 2; attack 19: at every endpoint where clients authenticate."""
    for audience in AUDIENCES:
        answer = world.post(path, world.token_form(assertion=world.assertion(aud=audience), token="x"))
        refused_by(world, answer, "audience")


@pytest.mark.parametrize("audience", [ISSUER, [ISSUER]])
def test_the_issuer_as_text_or_array_of_one_is_accepted(world: World, audience: Any) -> None:
    """standards 1"""
    assert world.token(assertion=world.assertion(aud=audience)).status == 200


PAGES = ("/account/", "/upstream/")
# What is sent there proves itself, by the key of an account (RFC 8555) or of a certificate or by a token, or by being
# signed by whom it is of (SETs); OCSP is open.
PROVE_THEMSELVES = (
    *("/acme/", "/certificates/enrol", "/certificates/renew", "/ca/ocsp"),
    *("/revocations/applied", "/ssf/", "/signals/"),
)


def test_every_endpoint_that_takes_forms_authenticates() -> None:
    """standards 2: the corpus above runs over all of them."""
    assert set(WHERE_CLIENTS_AUTHENTICATE) >= {"/token", "/introspect", "/revoke", "/client-keys", "/client-keys/next"}
    # The forms of the pages are sent by people, in their browsers: see below.
    forms = [
        one for one in ENDPOINTS if one.methods == ("POST",) and not one.path.startswith((*PAGES, *PROVE_THEMSELVES))
    ]
    assert all(endpoint.authenticates for endpoint in forms)


ON_THE_WAY = ("/consent", "/accounts")
"""Pages that refuse whoever is in the middle of nothing, before they look at a form."""
OWN_PAGES = [
    one.path
    for one in ENDPOINTS
    # Applications send the first three; the rest is not served here, without mail and providers.
    if "POST" in one.methods
    and not one.authenticates
    and not one.path.startswith(("/authorize", "/userinfo", "/logout", "/reset", "/upstream/", "/account/upstream/"))
    and not one.path.startswith(PROVE_THEMSELVES)
]


@pytest.mark.parametrize("path", OWN_PAGES)
def test_every_other_form_is_taken_from_our_own_pages_alone(world: World, path: str) -> None:
    """standards 108."""
    assert world.post(path, {"decision": "allow"}).status == (400 if path in ON_THE_WAY else 403)
