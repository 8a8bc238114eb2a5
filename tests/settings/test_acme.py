"""Settings of ACME: off by default, and combinations that could do nothing are refused with the mend."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ostiary.settings.acme import AcmeSettings


def test_acme_is_off_and_reaches_nothing_by_default() -> None:
    settings = AcmeSettings()
    assert (settings.enabled, settings.external_account_required, settings.allow_networks) == (False, True, ())


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"external_account_required": False}, "unbound_dns"),
        ({"allow_networks": ["10.0.0.1/8"]}, "network"),
        ({"dns_server": "dns.example.com"}, "10.0.0.53"),
        ({"unbound_dns": ["*.example.com"]}, "domain"),
        ({"terms_of_service": "ftp://example.com"}, "http"),
        ({"max_identifiers": 0}, "1"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        AcmeSettings.model_validate(given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.0.0.53", ("10.0.0.53", 53)), ("10.0.0.53:5353", ("10.0.0.53", 5353)), ("[fd00::1]:54", ("fd00::1", 54))],
)
def test_a_dns_server_is_an_address_with_or_without_a_port(text: str, expected: tuple[str, int]) -> None:
    assert AcmeSettings.model_validate({"dns_server": text}).dns_address() == expected
