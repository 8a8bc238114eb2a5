"""``ostiary client`` for clients with certificates, on a local installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authorization_server.certificates import Made, self_signed
from tests.cli.operator import Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]

SUBJECT = ("--certificate-subject", "subject_dn=CN=shop,O=Example")


@pytest.fixture
def own(operator: Operator) -> Made:
    """A certificate that lasts for decades, in ``own.pem``."""
    made = self_signed(begins=-20 * 31_536_000, ends=20 * 31_536_000)
    (operator.folder / "own.pem").write_bytes(made.pem)
    return made


def test_a_client_is_registered_by_what_its_certificate_says(operator: Operator) -> None:
    made = operator.done("client", "create", "shop", *SUBJECT, "--bound-tokens")
    assert made["authentication_method"] == "tls_client_auth"
    told = {"subject_kind": "subject_dn", "subject_value": "CN=shop,O=Example", "bound_tokens": True}
    assert (made["mutual_tls"], operator.done("client", "show", "shop")["mutual_tls"]) == (told, told)
    table = operator.run("client", "show", "shop").out
    assert "CN=shop,O=Example" in table


def test_a_client_is_registered_with_its_certificate(operator: Operator, own: Made) -> None:
    made = operator.done("client", "create", "shop", "--self-signed", "--certificate", "own.pem")
    assert made["authentication_method"] == "self_signed_tls_client_auth"
    assert [key["thumbprint"] for key in operator.done("client", "keys", "list", "shop")] == [own.thumbprint]


def test_a_certificate_is_added_and_revoked_like_a_key(operator: Operator, own: Made) -> None:
    operator.done("client", "create", "shop", "--self-signed")
    (added,) = operator.done("client", "keys", "add", "shop", "--certificate", "own.pem", "--kid", "first")
    assert (added["kid"], added["certificate"]) == ("first", own.pem.decode())
    (ended,) = operator.done("client", "keys", "revoke", "shop", "first")
    assert ended["state"] == "revoked"
    assert "client:key_revoked" in operator.tags()


def test_a_client_changes_over_to_its_certificate(operator: Operator, own: Made) -> None:
    operator.done("client", "create", "shop", "--generate", "shop.json")
    operator.done("client", "keys", "add", "shop", "--certificate", "own.pem")
    changed = operator.done("client", "change", "shop", "--self-signed", "--bound-tokens")
    assert changed["authentication_method"] == "self_signed_tls_client_auth"
    changed = operator.done("client", "change", "shop", "--certificate-subject", "san_dns=shop.example.com")
    assert changed["authentication_method"] == "tls_client_auth"
    assert not operator.done("client", "change", "shop", "--no-bound-tokens")["mutual_tls"]["bound_tokens"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--certificate-subject", "cn=shop"), ["--certificate-subject", "KIND=VALUE"]),
        (("--certificate-subject", "san_dns=*.example.com"), ["certificate_subject", "wildcard"]),
        (("--self-signed", *SUBJECT), ["--self-signed", "keep one"]),
        (("--self-signed", "--public"), ["a client has one method"]),
        (("--self-signed", "--generate", "key.json"), ["proves itself by TLS"]),
        (("--certificate", "own.pem"), ["self_signed_tls_client_auth"]),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    operator: Operator, own: Made, arguments: tuple[str, ...], words: list[str]
) -> None:
    operator.refused(3, words, "client", "create", "shop", *arguments)
    assert operator.done("client", "list") == []


def test_a_private_key_is_not_taken_for_a_certificate(operator: Operator, own: Made) -> None:
    Path(operator.folder / "both.pem").write_bytes(own.pem + own.key_pem)
    operator.done("client", "create", "shop", "--self-signed")
    operator.refused(3, ["this certificate is refused"], "client", "keys", "add", "shop", "--certificate", "both.pem")
