"""The metadata: where it stands, what it says, and that no request can change a byte of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.authorization_server.asgi import routes
from ostiary.authorization_server.client_authentication import METHODS
from ostiary.authorization_server.endpoints import ENDPOINTS
from ostiary.protocol import metadata
from tests.authorization_server.world import ISSUER, World, shop_world

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
HOSTILE = [
    {"host": "evil.example.com"},
    {"host": "evil.example.com", "x-forwarded-host": "evil.example.com"},
    {"x-forwarded-host": "evil.example.com", "x-forwarded-proto": "http", "x-forwarded-port": "81"},
    {"forwarded": "host=evil.example.com;proto=http"},
    {"x-forwarded-prefix": "/evil", "x-original-url": "/evil", "x-rewrite-url": "/evil"},
    {"x-forwarded-server": "evil.example.com", "x-host": "evil.example.com"},
]


@pytest.mark.parametrize("headers", HOSTILE)
@pytest.mark.parametrize("path", [OAUTH, OPENID])
def test_no_header_changes_a_byte(world: World, path: str, headers: dict[str, str]) -> None:
    """standards 97; attack 35"""
    plain = world.get(path)
    hostile = world.get(path, **headers)
    assert (hostile.body, hostile.headers) == (plain.body, plain.headers)
    assert b"evil" not in hostile.body


def test_it_speaks_for_the_issuer_to_our_own_client(world: World) -> None:
    found = metadata.parse_authorization_server(world.get(OAUTH).body, ISSUER)
    assert found.token_endpoint == f"{ISSUER}/token"
    assert found.ostiary_client_keys_endpoint == f"{ISSUER}/client-keys"
    assert found.ostiary_next_key_endpoint == f"{ISSUER}/client-keys/next"


def test_it_names_what_exists_and_nothing_else(world: World) -> None:
    document = world.get(OAUTH).json
    assert document["issuer"] == ISSUER
    assert document["grant_types_supported"] == ["client_credentials", "authorization_code", "refresh_token"]
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["token_endpoint_auth_methods_supported"] == [method.name for method in METHODS]
    assert "none" not in document["token_endpoint_auth_signing_alg_values_supported"]
    urls = {name: value for name, value in document.items() if name.endswith("_endpoint") or name == "jwks_uri"}
    assert urls == {endpoint.metadata_key: endpoint.url(ISSUER) for endpoint in ENDPOINTS if endpoint.metadata_key}


@pytest.mark.parametrize(
    ("issuer", "path"),
    [
        ("https://id.example.com/tenant/a", "/.well-known/oauth-authorization-server/tenant/a"),
        ("https://id.example.com/tenant/a", "/.well-known/openid-configuration/tenant/a"),
        ("https://id.example.com/tenant/a", "/tenant/a/.well-known/openid-configuration"),
        ("https://id.example.com", OAUTH),
        ("https://id.example.com", OPENID),
    ],
)
def test_an_issuer_with_a_path_is_found_by_both_rules(tmp_path: Path, issuer: str, path: str) -> None:
    """standards 99"""
    with shop_world(tmp_path, issuer=issuer) as world:
        document = world.get(path).json
        assert (document["issuer"], document["token_endpoint"]) == (issuer, f"{issuer}/token")


def test_with_a_path_everything_works_below_it_and_nothing_beside_it(tmp_path: Path) -> None:
    """standards 99"""
    with shop_world(tmp_path, issuer="https://id.example.com/tenant/a") as world:
        assert world.post("/tenant/a/token", world.token_form()).status == 200
        assert world.post("/token", world.token_form()).status == 404
        assert world.get(OAUTH).status == 404
        assert world.get("/tenant/a" + OAUTH).status == 404


def test_every_well_known_url_of_the_protocol_is_served() -> None:
    """standards 99: what our own client tries is what our server serves."""
    for issuer in (ISSUER, ISSUER + "/deep/path"):
        assert {url.removeprefix(ISSUER) for url in metadata.well_known_urls(issuer)} <= routes(issuer).keys()


def test_it_may_be_kept_for_a_while(world: World) -> None:
    assert world.get(OAUTH).headers["cache-control"] == "public, max-age=300"
