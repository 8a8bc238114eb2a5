"""SPIFFE IDs: the SPIFFE ID standard, section 2."""

from __future__ import annotations

import pytest

from ostiary.certificate_authority import spiffe_ids
from ostiary.errors import VerificationError
from ostiary.protocol import spiffe_id
from ostiary.settings.certificate_authority import CertificateAuthoritySettings
from tests.spiffe.trust_domain import BILLING, DOMAIN, TrustDomainWorld


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("spiffe://example.org/a", "example.org"),
        ("spiffe://1.2.3.4/service", "1.2.3.4"),
        ("spiffe://under_score/9eebccd2-12bf-40a6-b262-65fe0487d453", "under_score"),
        ("spiffe://td/A.b-C_d/...", "td"),
        ("spiffe://" + "d" * 255 + "/a", "d" * 255),
        ("spiffe://td/" + "a" * 2036, "td"),
    ],
)
def test_good_ones_are_taken(text: str, domain: str) -> None:
    assert spiffe_id.check_workload(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe:",
        "spiffe://",
        "spiffe:///a",
        "spiffe://td",
        "spiffe://td/",
        "spiffe://td/a/",
        "spiffe://td//a",
        "spiffe://td/./a",
        "spiffe://td/a/..",
        "spiffe://TD/a",
        "SPIFFE://td/a",
        "https://td/a",
        "spiffe://td:80/a",
        "spiffe://user@td/a",
        "spiffe://td/a?b",
        "spiffe://td/a#b",
        "spiffe://td/%61",
        "spiffe://td/ä",
        "spiffe://td/a\n",
        "spiffe://td*/a",
        "spiffe://" + "d" * 256 + "/a",
        "spiffe://td/" + "a" * 2037,
    ],
)
def test_others_are_refused(text: str) -> None:
    with pytest.raises(VerificationError) as refused:
        spiffe_id.check_workload(text)
    assert refused.value.check == "spiffe_id"


def test_a_trust_domain_has_no_path() -> None:
    assert spiffe_id.trust_domain_of("spiffe://td") == "td"
    assert spiffe_id.trust_domain("td") == "td"
    with pytest.raises(VerificationError):
        spiffe_id.trust_domain("td/a")


def test_a_client_may_have_what_was_registered_in_our_trust_domain_and_nothing_else(world: TrustDomainWorld) -> None:
    settings = CertificateAuthoritySettings(trust_domain=DOMAIN)
    client = world.add_client("reports", spiffe_id=f"spiffe://{DOMAIN}/reports")
    assert spiffe_ids.of_client(settings, client) == f"spiffe://{DOMAIN}/reports"
    for nowhere, one in [
        (CertificateAuthoritySettings(), client),
        (settings, world.add_client("plain")),
        (settings, world.add_client("guest", spiffe_id="spiffe://other.example/a")),
    ]:
        with pytest.raises(VerificationError) as refused:
            spiffe_ids.of_client(nowhere, one)
        assert refused.value.check == "spiffe_id"


def test_a_spiffe_id_belongs_to_one_client(world: TrustDomainWorld) -> None:
    from ostiary.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="give each client its own"):
        world.add_client("thief", spiffe_id=BILLING)
