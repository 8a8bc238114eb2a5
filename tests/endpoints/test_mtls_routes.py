"""What is served at the address for clients with certificates, and what is not: RFC 8705 section 5."""

from __future__ import annotations

import pytest

from ostiary.authorization_server.asgi import mtls_routes, routes
from ostiary.authorization_server.endpoints import ENDPOINTS
from ostiary.authorization_server.endpoints.metadata import aliases

ISSUER = "https://id.example.com/tenant/a"
MTLS = "https://mtls.example.com/m"


def test_every_alias_is_served_and_named_by_its_own_url() -> None:
    found = aliases(MTLS, ENDPOINTS)["mtls_endpoint_aliases"]
    assert isinstance(found, dict)
    served = mtls_routes(ISSUER, MTLS)
    for key, url in found.items():
        assert served[url.removeprefix("https://mtls.example.com")].metadata_key == key


def test_every_endpoint_where_clients_authenticate_is_an_alias() -> None:
    found = aliases(MTLS, ENDPOINTS)["mtls_endpoint_aliases"]
    assert isinstance(found, dict)
    assert {one.metadata_key for one in ENDPOINTS if one.authenticates} <= set(found)
    assert {"userinfo_endpoint", "ostiary_certificate_renewal_endpoint"} <= set(found)
    assert "ostiary_certificate_enrolment_endpoint" not in found


def test_without_such_an_address_the_metadata_has_no_aliases() -> None:
    assert aliases(None, ENDPOINTS) == {}


@pytest.mark.parametrize("name", ["authorize", "sign_in", "account", "consent", "logout"])
def test_no_page_is_served_there(name: str) -> None:
    pages = {path for path, endpoint in routes(ISSUER).items() if endpoint.name.startswith(name)}
    assert pages
    assert not {path.removeprefix("/tenant/a") for path in pages} & {
        path.removeprefix("/m") for path in mtls_routes(ISSUER, MTLS)
    }


def test_documents_that_any_client_reads_are_served_there() -> None:
    assert {"/m/jwks", "/.well-known/oauth-authorization-server/tenant/a"} <= set(mtls_routes(ISSUER, MTLS))
