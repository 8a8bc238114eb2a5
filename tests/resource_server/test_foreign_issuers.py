"""Issuers whose name ends in a slash, as those of Auth0 do: compared to the last character (RFC 8414 section 3.3)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ostiary.errors import ConfigurationError
from ostiary.resource_server import IssuerConfig
from tests.resource_server.world import World, bearer, failed_check


@pytest.fixture
def named(world: World) -> str:
    """The issuer under a name that ends in a slash, in its metadata too."""
    world.issuer.claimed_issuer = world.issuer.issuer + "/"
    return world.issuer.claimed_issuer


def test_an_issuer_with_a_closing_slash_is_trusted_under_that_name(world: World, named: str) -> None:
    guard = world.guard(issuer=named)
    assert guard.check_sync(bearer(world.token(iss=named))).issuer == named
    assert json.loads(guard.protected_resource_metadata())["authorization_servers"] == [named]
    assert world.issuer.asked == {"/.well-known/oauth-authorization-server": 1, "/jwks": 1}


def test_a_token_of_the_name_without_the_slash_is_anothers(world: World, named: str) -> None:
    refused, record = world.refusal(world.guard(issuer=named), bearer(world.token()))
    assert (refused.status, failed_check(record)) == (401, "issuer")


def test_a_token_of_the_name_with_a_slash_too_many_is_anothers(world: World, named: str) -> None:
    refused, record = world.refusal(world.guard(), bearer(world.token(iss=named)))
    assert (refused.status, failed_check(record)) == (401, "issuer")


@pytest.mark.parametrize(
    ("configured", "claimed"), [(lambda url: url + "/", lambda url: url), (lambda url: url, lambda url: url + "/")]
)
def test_metadata_that_spells_the_slash_otherwise_is_not_used(
    world: World, configured: Callable[[str], str], claimed: Callable[[str], str]
) -> None:
    own = configured(world.issuer.issuer)
    world.issuer.claimed_issuer = claimed(world.issuer.issuer)
    refused, record = world.refusal(world.guard(issuer=own), bearer(world.token(iss=own)))
    assert refused.status == 503
    assert "issuer mismatch" in record.checks[-1].seen
    assert world.issuer.asked["/jwks"] == 0


@pytest.mark.parametrize(
    "place",
    [
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    ],
)
def test_the_slash_is_taken_off_before_the_well_known_part_is_put_in(world: World, place: str) -> None:
    """RFC 8414 section 3.1, OpenID Connect Discovery 1.0 section 4.1."""
    named = f"{world.issuer.issuer}/tenant/"
    members = {**world.issuer.metadata(), "issuer": named}
    world.issuer.raw[place] = (200, {}, json.dumps(members).encode())
    assert world.guard(issuer=named).check_sync(bearer(world.token(iss=named))).issuer == named


def test_an_issuer_with_a_closing_slash_is_reached_at_its_internal_url(world: World) -> None:
    public = "https://accounts.example.com/"
    members = {"issuer": public, "jwks_uri": f"{public}jwks"}
    world.issuer.raw["/.well-known/oauth-authorization-server"] = (200, {}, json.dumps(members).encode())
    guard = world.guard(issuer=IssuerConfig(public, internal_url=world.issuer.issuer))
    assert guard.check_sync(bearer(world.token(iss=public))).issuer == public


@pytest.mark.parametrize("url", ["https://accounts.example.com//", "https://Accounts.example.com/", "https://a.b/x/?"])
def test_no_other_freedom_of_spelling_comes_with_it(url: str) -> None:
    with pytest.raises(ConfigurationError):
        IssuerConfig(url)
