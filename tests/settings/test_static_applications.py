"""Applications with users in ``ostiary.toml``: the same members and rules as by command, and what fits is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.authorization_server.static_records import static_records
from ostiary.errors import ConfigurationError
from ostiary.model.client import Client
from ostiary.protocol import token_format
from ostiary.secret_files import write_secret_file
from ostiary.settings import Settings, load_settings
from ostiary.settings.unknown_keys import known_keys, nearest

CALLBACK = 'redirect_uris = ["https://app.example.com/callback"]\n'
LOGIN = f"[static.clients.shop.login]\n{CALLBACK}"


def settings(folder: Path, text: str) -> Settings:
    path = folder / "ostiary.toml"
    path.write_text('issuer = "https://auth.example.com"\n' + text)
    return load_settings(path, {})


def client(folder: Path, text: str) -> Client:
    return static_records(settings(folder, text), 0).clients["shop"]


def test_an_application_of_the_file_is_what_one_by_command_is(tmp_path: Path) -> None:
    more = 'first_party = true\nhome_uri = "https://app.example.com"\nrefresh_token_life = 3600\n'
    made = client(tmp_path, "[static.clients.shop]\n" + LOGIN + more)
    assert made.login is not None
    assert made.login.redirect_uris == ("https://app.example.com/callback",)
    assert (made.login.first_party, made.login.refresh_token_life) == (True, 3600)
    assert (made.authentication_method, made.grant_types) == (
        "private_key_jwt",
        ("authorization_code", "refresh_token"),
    )


def test_a_public_application_stands_in_the_file(tmp_path: Path) -> None:
    public = '[static.clients.shop]\nauthentication_method = "none"\n'
    assert client(tmp_path, public + LOGIN + 'application_type = "browser"\n').authentication_method == "none"


def test_pairwise_subjects_hang_on_the_sector(tmp_path: Path) -> None:
    made = client(tmp_path, "[static.clients.shop]\n" + LOGIN + 'subject_type = "pairwise"\n')
    assert made.login is not None
    assert made.login.sector == "app.example.com"


def test_a_secret_is_read_from_its_file_and_kept_as_its_digest(tmp_path: Path) -> None:
    secret = token_format.generate(token_format.CLIENT_SECRET, "abcdef")
    write_secret_file(tmp_path / "shop.secret", secret.encode() + b"\n")
    text = '[static.clients.shop]\nauthentication_method = "client_secret_basic"\nsecret_file = "shop.secret"\n'
    assert client(tmp_path, text + LOGIN).secret_digest == token_format.digest(secret)
    assert client(tmp_path, text).grant_types == ("client_credentials",)


@pytest.mark.parametrize(
    "content",
    [b"hunter2", b"", b"\xff\xfe", b"ost_at_abcdef_" + b"0" * 49, b"ost_cs_abcdef_" + b"0" * 49],
)
def test_what_somebody_thought_up_is_no_secret(tmp_path: Path, content: bytes) -> None:
    write_secret_file(tmp_path / "shop.secret", content)
    text = '[static.clients.shop]\nauthentication_method = "client_secret_basic"\nsecret_file = "shop.secret"\n'
    with pytest.raises(ConfigurationError, match="ostiary client new-secret") as refused:
        client(tmp_path, text)
    assert "hunter2" not in str(refused.value)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    write_secret_file(tmp_path / "shop.secret", token_format.generate("cs", "abcdef").encode())
    (tmp_path / "shop.secret").chmod(0o644)
    text = '[static.clients.shop]\nauthentication_method = "client_secret_basic"\nsecret_file = "shop.secret"\n'
    with pytest.raises(ConfigurationError, match="chmod 600"):
        client(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[static.clients.shop]\nauthentication_method = "none"\n', "login"),
        ('[static.clients.shop]\nauthentication_method = "client_secret_basic"\n', "secret_file"),
        ('[static.clients.shop]\nsecret_file = "x"\n', "secret_file"),
        ('[static.clients.shop]\nauthentication_method = "tls_client"\n', "authentication_method"),
        ('[static.clients.shop]\ngrant_types = ["authorization_code"]\n', "grant_types"),
        ('[static.clients.shop]\ngrant_types = ["password"]\n', "grant_types"),
        ('[static.clients.shop]\nauthentication_method = "none"\nkeys = ["k.pem"]\n' + LOGIN, "keys"),
        (LOGIN + 'require_pkce = false\napplication_type = "native"\n', "require_pkce"),
        (LOGIN + 'id_token_alg = "HS256"\n', "id_token_alg"),
        (LOGIN + 'logo_uri = "http://app.example.com/"\n', "logo_uri"),
        ('[static.clients.shop.login]\nredirect_uris = ["http://app.example.com/"]\n', "redirect_uris"),
        ('[static.clients.shop.login]\nredirect_uris = ["http://localhost:3000/"]\n', "redirect_uris"),
        ("[static.clients.shop.login]\nfirst_party = true\n", "redirect_uris"),
        (LOGIN + 'redirect_uri = "https://b.example.com/"\n', "redirect_uri"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_the_start(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        settings(tmp_path, text)
    assert "shop" in str(refused.value)


def test_a_misspelt_member_of_a_login_is_led_to_the_right_one() -> None:
    assert "static.clients.<name>.login.redirect_uris" in known_keys()
    assert nearest("static.clients.shop.login.redirect_uri") == "static.clients.shop.login.redirect_uris"
