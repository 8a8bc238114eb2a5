"""Settings of SPIFFE: whose keys are taken from where."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ostiary.settings.sections import Settings

BUNDLES = {"bundles": {"other.example": {"url": "https://other.example/bundle.json"}}}


def settings(trust_domain: str) -> Settings:
    return Settings.model_validate(
        {
            "issuer": "https://auth.example.com",
            "certificate_authority": {"trust_domain": trust_domain},
            "spiffe": BUNDLES,
        }
    )


def test_the_own_trust_domain_gets_its_keys_from_no_bundle() -> None:
    assert settings("example.com").spiffe.bundles
    with pytest.raises(ValidationError, match="whose keys are made here"):
        settings("other.example")
