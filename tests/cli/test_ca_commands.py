"""``ostiary ca`` and ``ostiary cert`` for operators, on a local installation."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ostiary.certificate_authority.life import AuthorityLife
from ostiary.errors import Unavailable
from tests.cli.operator import Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]

SERVER = ("--profile", "server", "--dns", "api.example.com")


@pytest.fixture
def founded(operator: Operator) -> Operator:
    operator.done("ca", "init", "--name", "Example", "--permit-dns", "example.com")
    return operator


def verify(openssl: str, folder: Path, leaf: str, root: str = "root.pem") -> str:
    command = [openssl, "verify", "-x509_strict", "-CAfile", root, "-untrusted", leaf, leaf]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_init_makes_a_root_in_files_and_an_authority_that_issues(founded: Operator) -> None:
    rows = {row["kind"]: row for row in founded.done("ca", "show")}
    assert rows["issuing"]["permits"] == ["dns:example.com", "ip:none"]
    assert (rows["issuing"]["key_store"], rows["root"]["key_store"]) == ("file", "offline")
    assert stat.S_IMODE((founded.folder / "root-key.pem").stat().st_mode) == 0o600
    assert "wrapped_private_key" not in rows["issuing"]
    founded.refused(3, ["ca show"], "ca", "init", "--name", "Again", "--root-key", "b.pem", "--root", "c.pem")
    assert not (founded.folder / "b.pem").exists()


def test_the_first_command_makes_the_database(operator: Operator) -> None:
    (operator.folder / "ostiary.db").unlink()
    operator.done("ca", "init", "--name", "Example")
    assert {row["kind"] for row in operator.done("ca", "show")} == {"issuing", "root"}


def test_a_name_in_any_script_is_taken_and_the_authorities_are_told_apart(operator: Operator) -> None:
    operator.done("ca", "init", "--name", "\u042f" * 48)
    operator.done("ca", "rotate")
    rows = operator.done("ca", "show")
    names = {x509.load_pem_x509_certificate(row["certificate"].encode()).subject.rfc4514_string() for row in rows}
    assert len(names) == 3


def test_init_that_cannot_write_the_root_leaves_no_key(operator: Operator) -> None:
    operator.refused(3, ["cannot be written"], "ca", "init", "--name", "Example", "--root", "missing/root.pem")
    assert not (operator.folder / "root-key.pem").exists()


def test_init_keeps_the_roots_key_when_nobody_knows_whether_it_was_recorded(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = AuthorityLife.add_issuing

    async def add_and_lose_the_answer(*given: Any, **named: Any) -> Any:
        await add(*given, **named)
        raise Unavailable("storage", "the connection was lost at the commit")

    with monkeypatch.context() as broken:
        broken.setattr(AuthorityLife, "add_issuing", add_and_lose_the_answer)
        assert operator.run("ca", "init", "--name", "Example").code != 0
    assert (operator.folder / "root-key.pem").exists()
    operator.done("ca", "rotate")


def test_a_root_is_not_retired(founded: Operator) -> None:
    [root] = [row["authority_id"] for row in founded.done("ca", "show") if row["kind"] == "root"]
    founded.refused(3, ["is a root"], "ca", "retire", root)


def test_init_writes_over_no_file(operator: Operator) -> None:
    (operator.folder / "root.pem").write_text("mine")
    operator.refused(3, ["not overwritten"], "ca", "init", "--name", "Example")
    assert not (operator.folder / "root-key.pem").exists()
    assert operator.done("ca", "show") == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--name", ""), "--name"),
        (("--name", "Example", "--permit-dns", "*.example.com"), "--permit-dns"),
        (("--name", "Example", "--permit-network", "10.0.0.1/8"), "--permit-network"),
        (("--name", "Example", "--key", "rsa1024"), "rsa3072"),
        (("--name", "Example", "--key-store", "cloud"), "pkcs11"),
        (("--name", "Example", "--key-store", "pkcs11"), "certificate_authority.pkcs11"),
    ],
)
def test_init_with_a_bad_argument_leaves_nothing_behind(
    operator: Operator, arguments: tuple[str, ...], word: str
) -> None:
    operator.refused(3, [word], "ca", "init", *arguments)
    assert not list(operator.folder.glob("root*"))
    assert operator.done("ca", "show") == []


def test_issue_writes_key_and_certificate_that_openssl_accepts(founded: Operator, openssl: str) -> None:
    made = founded.done("cert", "issue", *SERVER, "--generate", "api.pem")
    assert made["identities"] == ["dns:api.example.com"]
    assert verify(openssl, founded.folder, "api.pem") == "api.pem: OK\n"
    assert stat.S_IMODE((founded.folder / "api.pem").stat().st_mode) == 0o600
    founded.refused(3, ["not overwritten"], "cert", "issue", *SERVER, "--generate", "api.pem")
    assert founded.tags().count("certificate:issued") == 1


def test_nothing_is_issued_for_a_file_that_cannot_be_written(founded: Operator) -> None:
    founded.refused(3, ["missing/api.pem"], "cert", "issue", *SERVER, "--generate", "missing/api.pem")
    assert founded.done("cert", "list", "--all") == []


def test_no_token_is_spent_on_a_file_that_cannot_be_written(founded: Operator) -> None:
    """Nobody is asked: there is no server at that address, and so the refusal would be another one."""
    (founded.folder / "t").touch(0o600)
    request = ("cert", "request", "--token-file", "t", "--issuer", "https://127.0.0.1:9")
    founded.refused(3, ["missing/api.pem"], *request, "--out", "missing/api.pem")
    founded.refused(3, ["missing/key.pem"], *request, "--out", "api.pem", "--key-file", "missing/key.pem")


def test_issue_takes_a_request_of_openssl(founded: Operator, openssl: str) -> None:
    new = [openssl, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-subj", "/CN=x"]
    subprocess.run([*new, "-keyout", "key.pem", "-out", "r.csr"], cwd=founded.folder, check=True, capture_output=True)
    founded.done("cert", "issue", *SERVER, "--csr", "r.csr", "--out", "api.pem")
    assert verify(openssl, founded.folder, "api.pem") == "api.pem: OK\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--profile", "server"), "say what it is for"),
        (("--profile", "server", "--dns", "api.example.org"), "example.com"),
        (("--profile", "server", "--dns", "*.example.com"), "wildcard"),
        (("--profile", "client"), "client"),
        (("--profile", "client", "--client", "nobody"), "nobody"),
        (("--profile", "workload", "--uri", "spiffe://elsewhere/x"), "trust_domain"),
        (("--profile", "toaster", "--dns", "api.example.com"), "profile"),
        (("--profile", "server", "--dns", "api.example.com", "--life", "99999999"), "max_life"),
    ],
)
def test_a_certificate_that_nobody_may_have_is_refused_with_the_reason(
    founded: Operator, arguments: tuple[str, ...], word: str
) -> None:
    founded.refused(3, [word], "cert", "issue", *arguments, "--generate", "x.pem")
    assert not (founded.folder / "x.pem").exists()
    assert founded.done("cert", "list", "--all") == []


def test_what_an_operator_is_refused_is_in_the_audit_log_with_its_check(founded: Operator) -> None:
    foreign = ("--profile", "server", "--dns", "api.example.org", "--owner", "ops")
    founded.refused(3, ["example.com"], "cert", "issue", *foreign, "--generate", "x.pem")
    founded.refused(3, ["example.com"], "cert", "enrol", *foreign, "--token-file", "x.token")
    rows = founded.done("audit", "list", "--tag", "certificate:refused")
    assert [(row["outcome"], row["reason"], row["target"]) for row in rows] == [
        ("refused", "name_constraints", "ops")
    ] * 2


def test_a_client_is_named_by_its_id(founded: Operator) -> None:
    founded.done("client", "create", "shop", "--generate", "shop.json")
    made = founded.done("cert", "issue", "--profile", "client", "--client", "shop", "--generate", "shop.pem")
    assert made["identities"] == ["uri:https://auth.example.com/clients/shop"]
    founded.done("client", "disable", "shop")
    assert founded.done("cert", "show", made["serial"])["state"] == "revoked"
    founded.refused(
        3, ["disabled"], "cert", "issue", "--profile", "client", "--client", "shop", "--generate", "again.pem"
    )


def test_revoke_is_for_good_and_can_take_the_client_along(founded: Operator) -> None:
    founded.done("client", "create", "shop", "--generate", "shop.json")
    made = founded.done("cert", "issue", "--profile", "client", "--client", "shop", "--generate", "shop.pem")
    ended = founded.done("cert", "revoke", made["serial"], "--reason", "keyCompromise", "--with-client")
    assert (ended["state"], ended["reason"]) == ("revoked", "keyCompromise")
    assert founded.done("client", "show", "shop")["state"] == "disabled"
    founded.refused(3, ["before"], "cert", "revoke", made["serial"])
    founded.refused(3, ["cert list"], "cert", "revoke", "abc")
    founded.refused(3, ["reason"], "cert", "revoke", made["serial"], "--reason", "because")
    assert founded.done("cert", "list") == []
    assert len(founded.done("cert", "list", "--all")) == 1


def test_rotate_makes_the_next_authority_under_the_same_root(founded: Operator, openssl: str) -> None:
    founded.done("cert", "issue", *SERVER, "--generate", "one.pem")
    founded.done("ca", "rotate")
    founded.done("cert", "issue", *SERVER, "--generate", "two.pem")
    for leaf in ("one.pem", "two.pem"):
        assert verify(openssl, founded.folder, leaf) == f"{leaf}: OK\n"
    issuing = [row for row in founded.done("ca", "show") if row["kind"] == "issuing"]
    assert sorted(row["state"] for row in issuing) == ["active", "retired"]
    assert issuing[0]["permits"] == issuing[1]["permits"]


def test_rotate_refuses_another_root(founded: Operator, openssl: str) -> None:
    new = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=x"]
    subprocess.run([*new, "-keyout", "k.pem", "-out", "other.pem"], cwd=founded.folder, check=True, capture_output=True)
    (founded.folder / "k.pem").chmod(0o600)
    founded.refused(3, ["another root"], "ca", "rotate", "--root", "other.pem", "--root-key", "k.pem")
    founded.refused(3, ["does not belong"], "ca", "rotate", "--root", "root.pem", "--root-key", "k.pem")


def test_export_writes_what_others_trust(founded: Operator) -> None:
    assert founded.done("ca", "export", "--out", "trust.pem")["certificates"] == 1
    assert (founded.folder / "trust.pem").read_bytes() == (founded.folder / "root.pem").read_bytes()
    assert founded.done("ca", "export", "--out", "all.pem", "--chain")["certificates"] == 2


def test_enrol_keeps_its_token_in_a_file_alone(founded: Operator) -> None:
    outcome = founded.run("cert", "enrol", *SERVER, "--token-file", "api.token", "--format", "json")
    token = (founded.folder / "api.token").read_text().strip()
    assert token.startswith("ost_en_")
    assert token not in outcome.out + outcome.err
    assert stat.S_IMODE((founded.folder / "api.token").stat().st_mode) == 0o600
    founded.refused(3, ["exists"], "cert", "enrol", *SERVER, "--token-file", "api.token")
    founded.refused(
        3, ["example.com"], "cert", "enrol", "--profile", "server", "--dns", "x.org", "--token-file", "x.token"
    )
    assert not (founded.folder / "x.token").exists()


def test_without_a_ca_the_commands_say_how_to_make_one(operator: Operator) -> None:
    operator.refused(3, ["ca init"], "cert", "issue", *SERVER, "--generate", "api.pem")
    operator.refused(3, ["ca init"], "cert", "enrol", *SERVER, "--token-file", "api.token")
    operator.refused(3, ["ca init"], "ca", "export")


def test_the_key_of_the_root_can_be_encrypted_and_opens_by_its_passphrase_alone(operator: Operator) -> None:
    for name, text in {"good": "correct horse\n", "bad": "wrong\n", "none": "\n"}.items():
        (operator.folder / name).write_text(text)
        (operator.folder / name).chmod(0o600)
    operator.refused(3, ["none is empty"], "ca", "init", "--name", "Example", "--root-passphrase-file", "none")
    operator.done("ca", "init", "--name", "Example", "--root-passphrase-file", "good")
    assert (operator.folder / "root-key.pem").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    operator.refused(3, ["encrypted", "--root-passphrase-file"], "ca", "rotate")
    operator.refused(3, ["cannot be read"], "ca", "rotate", "--root-passphrase-file", "bad")
    operator.done("ca", "rotate", "--root-passphrase-file", "good")


def test_show_tells_the_whole_command_that_brings_trust_to_another_machine(founded: Operator) -> None:
    outcome = founded.run("ca", "show", "--format", "json")
    fingerprint = next(row["fingerprint"] for row in outcome.json if row["kind"] == "root")
    assert f"ostiary ca trust --url https://auth.example.com --fingerprint {fingerprint}" in outcome.err


def test_a_life_is_told_in_hours_or_days(founded: Operator) -> None:
    made = founded.done("cert", "issue", *SERVER, "--life", "24h", "--generate", "api.pem")
    assert made["not_after"] - made["issued_at"] == 86_400
    outcome = founded.run("cert", "issue", *SERVER, "--life", "soon", "--generate", "b.pem")
    assert (outcome.code, "15m, 24h, 7d" in outcome.err) == (2, True)


def test_a_life_cannot_be_asked_for_with_a_token(operator: Operator) -> None:
    token = ("--token-file", "t", "--issuer", "https://auth.example.com", "--life", "1h")
    operator.refused(3, ["the operator has said it"], "cert", "request", "--out", "c.pem", *token)


@pytest.mark.parametrize("write", [str.upper, lambda serial: f"0{serial}", lambda serial: f"{serial[:2]}:{serial[2:]}"])
def test_a_certificate_is_revoked_by_its_number_as_openssl_writes_it(founded: Operator, write: Any) -> None:
    made = founded.done("cert", "issue", *SERVER, "--generate", "api.pem")
    assert founded.done("cert", "revoke", write(made["serial"]))["state"] == "revoked"
    assert founded.done("cert", "show", made["serial"])["state"] == "revoked"


def test_a_next_root_is_trusted_before_anything_is_issued_under_it(founded: Operator, openssl: str) -> None:
    before = founded.done("ca", "show")
    made = founded.done("ca", "next-root", "--name", "Example", "--root", "next.pem", "--root-key", "next-key.pem")
    assert [(row["kind"], row["state"]) for row in made] == [("root", "active")]
    assert founded.done("ca", "export", "--out", "trust.pem")["certificates"] == 2
    founded.done("cert", "issue", *SERVER, "--generate", "one.pem")
    assert verify(openssl, founded.folder, "one.pem") == "one.pem: OK\n"
    founded.done("ca", "rotate", "--root", "next.pem", "--root-key", "next-key.pem")
    founded.done("cert", "issue", *SERVER, "--generate", "two.pem")
    assert verify(openssl, founded.folder, "two.pem", "next.pem") == "two.pem: OK\n"
    active = [row for row in founded.done("ca", "show") if (row["kind"], row["state"]) == ("issuing", "active")]
    assert [row["permits"] for row in active] == [row["permits"] for row in before if row["kind"] == "issuing"]


def test_a_next_root_needs_a_first_one_and_writes_over_no_file(operator: Operator) -> None:
    new = ("ca", "next-root", "--name", "Example", "--root", "next.pem", "--root-key", "next-key.pem")
    operator.refused(3, ["ca init"], *new)
    assert not list(operator.folder.glob("next*"))
    operator.done("ca", "init", "--name", "Example")
    (operator.folder / "next.pem").write_text("mine")
    operator.refused(3, ["not overwritten"], *new)


def test_revoke_ends_an_authority_with_all_that_it_issued(founded: Operator) -> None:
    made = founded.done("cert", "issue", *SERVER, "--generate", "one.pem")
    authority = made["authority_id"]
    founded.refused(2, ["--yes"], "ca", "revoke", authority)
    assert founded.done("cert", "show", made["serial"])["state"] == "valid"
    founded.done("ca", "revoke", authority, "--yes")
    assert founded.done("cert", "show", made["serial"])["state"] == "revoked"
    founded.refused(3, ["ca rotate"], "cert", "issue", *SERVER, "--generate", "two.pem")
    founded.refused(3, ["revoked already"], "ca", "revoke", authority, "--yes")
    founded.done("ca", "rotate", "--permit-dns", "example.com")
    founded.done("cert", "issue", *SERVER, "--generate", "two.pem")


def test_list_shows_those_that_are_asked_for(founded: Operator) -> None:
    founded.done("cert", "issue", *SERVER, "--owner", "ops", "--generate", "one.pem")
    founded.done(
        "cert", "issue", "--profile", "server", "--dns", "web.example.com", "--owner", "web", "--generate", "two.pem"
    )
    found = {
        option: [row["owner"] for row in founded.done("cert", "list", *option)]
        for option in (("--owner", "ops"), ("--name", "web."), ("--client", "shop"))
    }
    assert found == {("--owner", "ops"): ["ops"], ("--name", "web."): ["web"], ("--client", "shop"): []}
