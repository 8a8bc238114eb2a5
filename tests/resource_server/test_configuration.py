"""What the guard is told: arguments, environment, and one sentence for each mistake."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from ostiary.errors import ConfigurationError
from ostiary.protocol.credential import CLIENT, Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.resource_server import IssuerConfig, ResourceServer
from ostiary.secret_files import write_secret_file

ISSUER = "https://auth.example.com"
AUDIENCE = "https://orders.example.com"


def guard(**options: Any) -> ResourceServer:
    return ResourceServer(**{"environment": {"OSTIARY_REVOCATION": "until_expiry"}, "traces": [], **options})


def credential(issuer: str = ISSUER) -> Credential:
    return Credential("ostiary-api", issuer, "api_orders", SigningKey.generate("ES256"), AUDIENCE)


def test_the_environment_says_what_arguments_do_not(tmp_path: Path) -> None:
    write_secret_file(tmp_path / "api.json", credential().to_json())
    environment = {
        "OSTIARY_ISSUER": ISSUER,
        "OSTIARY_AUDIENCE": AUDIENCE,
        "OSTIARY_API_KEY_FILE": str(tmp_path / "api.json"),
    }
    made = guard(environment=environment)
    assert list(made.sources.keys) == [ISSUER]
    assert made.audience == AUDIENCE
    assert [config.issuer for config in made.sources.own] == [ISSUER]
    assert list(guard(issuer="https://b.example", audience="x").sources.keys) == ["https://b.example"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    path.write_bytes(credential().to_json())
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        guard(credential=path)


def test_the_credential_alone_says_issuer_and_audience() -> None:
    made = guard(credential=credential())
    assert (list(made.sources.keys), made.audience) == ([ISSUER], AUDIENCE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audience": AUDIENCE}, "OSTIARY_ISSUER"),
        ({"issuer": ISSUER}, "OSTIARY_AUDIENCE"),
        ({"issuer": ISSUER + "//", "audience": AUDIENCE}, "write https://auth.example.com$"),
        ({"issuer": "http://auth.example.com", "audience": AUDIENCE}, "https"),
        ({"issuer": [ISSUER, ISSUER], "audience": AUDIENCE}, "twice"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "leeway": 61}, "leeway"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "credential": "/nowhere/api.json"}, "cannot be read"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "credential": credential("https://b.example")}, "trusted issuer is"),
        (
            {"credential": Credential(CLIENT, ISSUER, "c", SigningKey.generate("ES256")), "audience": AUDIENCE},
            "an API needs its own",
        ),
        (
            {"issuer": ISSUER, "audience": AUDIENCE, "environment": {}},
            "API_KEY_FILE .* OSTIARY_REVOCATION=until",
        ),
        ({"issuer": ISSUER, "audience": AUDIENCE, "revocation": "feed"}, f"tokens of {ISSUER} were revoked"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "revocation": "introspect"}, "needs a key of its own there"),
        (
            {"issuer": [ISSUER, "https://b.example"], "credential": credential(), "environment": {}},
            "of https://b.example",
        ),
        (
            {"issuer": ISSUER, "audience": AUDIENCE, "revocation": "never"},
            "feed, introspect, status_list, until_expiry",
        ),
        ({"issuer": ISSUER, "audience": AUDIENCE, "environment": {"OSTIARY_REVOCATION": "no"}}, "'no' is no choice"),
        ({"credential": credential(), "when_stale": "admit"}, 'it is "refuse" or "introspect"'),
        ({"credential": credential(), "max_staleness": 9.9}, "from 10 to 86400"),
        ({"credential": credential(), "max_staleness": float("nan")}, "from 10 to 86400"),
    ],
)
def test_a_mistake_is_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        guard(**options)


def test_the_feed_is_followed_where_nothing_else_is_said_and_each_issuer_may_be_told_apart() -> None:
    def choices(**options: Any) -> dict[str, str]:
        made = guard(**{"credential": credential(), "environment": {}, **options})
        return {issuer: status.choice for issuer, status in made.revocation_status().items()}

    assert choices() == {ISSUER: "feed"}
    assert choices(environment={"OSTIARY_REVOCATION": "introspect"}) == {ISSUER: "introspect"}
    assert choices(environment={"OSTIARY_REVOCATION": "introspect"}, revocation="feed") == {ISSUER: "feed"}
    assert choices(revocation=lambda principal, now: None) == {ISSUER: "hook"}
    other = IssuerConfig("https://b.example", revocation="until_expiry")
    assert choices(issuer=[ISSUER, other]) == {ISSUER: "feed", "https://b.example": "until_expiry"}
    with pytest.raises(ConfigurationError, match="is no choice"):
        IssuerConfig(ISSUER, revocation="sometimes")  # type: ignore[arg-type]


def test_an_unknown_algorithm_is_a_mistake() -> None:
    for algorithms in (("HS256",), ("none",), ()):
        with pytest.raises(ConfigurationError):
            IssuerConfig(ISSUER, algorithms=algorithms)


def test_the_guard_says_at_start_what_it_can_verify(caplog: pytest.LogCaptureFixture) -> None:
    guard(issuer=ISSUER, audience=AUDIENCE)
    assert (
        "self-contained tokens only" in caplog.text
    )  # in a log that shows warnings, as an application's first one does
    caplog.clear()
    caplog.set_level(logging.INFO, "ostiary.resource_server")
    guard(credential=credential())
    assert "self-contained tokens, reference tokens" in caplog.text
    assert "only" not in caplog.text


@pytest.mark.parametrize(
    ("audience", "path"),
    [
        ("https://orders.example.com", "/.well-known/oauth-protected-resource"),
        ("https://example.com/orders/v1", "/.well-known/oauth-protected-resource/orders/v1"),
        ("urn:orders", None),
    ],
)
def test_the_metadata_stands_where_the_identifier_says(audience: str, path: str | None) -> None:
    """standards 112."""
    assert guard(issuer=ISSUER, audience=audience).metadata_path == path
