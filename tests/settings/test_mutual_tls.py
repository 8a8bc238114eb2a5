"""The settings of the address for clients with certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.settings import Settings, load_settings

GOOD = {
    "OSTIARY_ISSUER": "https://auth.example.com",
    "OSTIARY_SERVER__TLS_CERTIFICATE_FILE": "tls.pem",
    "OSTIARY_SERVER__TLS_PRIVATE_KEY_FILE": "tls.key",
    "OSTIARY_MTLS__PUBLIC_URL": "https://mtls.example.com",
}


def load(**more: str) -> Settings:
    return load_settings(None, GOOD | {f"OSTIARY_{name}": value for name, value in more.items()})


def test_it_may_show_the_certificate_of_the_server() -> None:
    mtls = load(MTLS__CLIENT_CA_FILES="/a.pem,/b.pem").mtls
    assert mtls is not None
    assert mtls.client_ca_files == (Path("/a.pem"), Path("/b.pem"))
    assert mtls.port == 8402


def test_without_the_section_there_is_no_such_address() -> None:
    assert load_settings(None, {"OSTIARY_ISSUER": "https://auth.example.com"}).mtls is None


@pytest.mark.parametrize(
    "url", ["http://mtls.example.com", "http://localhost:1", "https://mtls.example.com?a=b", "mtls"]
)
def test_its_url_is_https_without_query(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be an https URL"):
        load(MTLS__PUBLIC_URL=url)


def test_it_is_not_the_issuers_own_address() -> None:
    with pytest.raises(ConfigurationError, match="must differ from the issuer"):
        load(MTLS__PUBLIC_URL="https://auth.example.com/mtls")


def test_it_needs_a_certificate_from_somewhere() -> None:
    without = {name: value for name, value in GOOD.items() if "TLS_CERT" not in name and "TLS_PRIV" not in name}
    with pytest.raises(ConfigurationError, match="no certificate to show"):
        load_settings(None, without)


def test_its_certificate_comes_with_its_key() -> None:
    with pytest.raises(ConfigurationError, match="go together"):
        load(MTLS__TLS_CERTIFICATE_FILE="other.pem")


def test_a_misspelled_key_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="OSTIARY_MTLS__PUBLIC_URL"):
        load(MTLS__PUBLIC_URI="https://mtls.example.com")
