"""Settings come from file and environment; a fault is one sentence that names the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.settings import load_settings

ISSUER = 'issuer = "https://auth.example.com"\n'


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "ostiary.toml"


def refusal(toml: Path, text: str, environ: dict[str, str] | None = None) -> str:
    toml.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load_settings(toml, environ or {})
    return str(refused.value)


def test_a_file_of_one_line_is_enough_and_has_safe_defaults(toml: Path) -> None:
    toml.write_text(ISSUER)
    settings = load_settings(toml, {})
    assert settings.issuer == "https://auth.example.com"
    assert settings.keys.algorithms == ("ES256",)
    assert (settings.tokens.default_life, settings.tokens.max_life) == (600, 3600)
    assert settings.management.host == "127.0.0.1"
    assert settings.fetching.allow_networks == ()
    assert not settings.fetching.allow_http
    assert not settings.dev


def test_the_environment_goes_before_the_file_and_leaves_the_rest_of_the_section(toml: Path) -> None:
    toml.write_text(ISSUER + "[tokens]\ndefault_life = 120\nmax_life = 900\n")
    settings = load_settings(toml, {"OSTIARY_TOKENS__DEFAULT_LIFE": "60"})
    assert (settings.tokens.default_life, settings.tokens.max_life) == (60, 900)


def test_the_environment_alone_is_enough() -> None:
    environ = {"OSTIARY_ISSUER": "https://auth.example.com", "OSTIARY_KEYS__ALGORITHMS": "ES256, EdDSA"}
    assert load_settings(None, environ).keys.algorithms == ("ES256", "EdDSA")


@pytest.mark.parametrize(
    ("text", "written", "meant"),
    [
        ('isuer = "https://auth.example.com"\n', "isuer", "issuer"),
        (ISSUER + "[tokens]\nmax_lief = 3\n", "tokens.max_lief", "tokens.max_life"),
        (ISSUER + "[token]\nmax_life = 3\n", "token", "tokens"),
        (ISSUER + "[static.clients.shop]\nkyes = []\n", "static.clients.shop.kyes", "static.clients.shop.keys"),
    ],
)
def test_an_unknown_key_of_the_file_is_refused_and_names_the_nearest(
    toml: Path, text: str, written: str, meant: str
) -> None:
    sentence = refusal(toml, text)
    assert f"{written} is no setting; did you mean {meant}" in sentence


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("OSTIARY_TOKENS__MAX_LIEF", "OSTIARY_TOKENS__MAX_LIFE"),
        ("OSTIARY_ISUER", "OSTIARY_ISSUER"),
        ("OSTIARY_tokens__max_life", "OSTIARY_TOKENS__MAX_LIFE"),
        ("OSTIARY_DEV", "OSTIARY_"),
    ],
)
def test_an_unknown_variable_of_the_environment_is_refused_and_names_the_nearest(
    toml: Path, variable: str, meant: str
) -> None:
    sentence = refusal(toml, ISSUER, {variable: "3"})
    assert f"{variable} is no setting; did you mean {meant}" in sentence


def test_what_the_guard_of_an_api_reads_from_the_environment_is_left_to_it(toml: Path) -> None:
    toml.write_text(ISSUER)
    load_settings(
        toml, {"OSTIARY_AUDIENCE": "https://orders.example.com", "OSTIARY_API_KEY_FILE": "k.json", "HOME": "x"}
    )


def test_dev_cannot_be_set_by_a_file(toml: Path) -> None:
    assert "dev is no setting" in refusal(toml, "dev = true\n" + ISSUER)


def test_paths_are_relative_to_the_folder_of_the_file(toml: Path) -> None:
    toml.write_text(
        ISSUER + '[storage]\nurl = "sqlite:///data/x.db"\n[keys]\nkey_encryption_key_file = "kek"\n'
        '[static.clients.shop]\nkeys = ["keys/shop.pem", "/etc/shop.jwk"]\n'
    )
    settings = load_settings(toml, {})
    assert settings.storage.url == f"sqlite:///{toml.parent}/data/x.db"
    assert settings.keys.key_encryption_key_file == toml.parent / "kek"
    assert settings.static.clients["shop"].keys == (toml.parent / "keys/shop.pem", Path("/etc/shop.jwk"))


def test_a_url_of_postgresql_is_left_as_it_is(toml: Path) -> None:
    toml.write_text(ISSUER + '[storage]\nurl = "postgresql://db.example.com/ostiary"\n')
    assert load_settings(toml, {}).storage.url == "postgresql://db.example.com/ostiary"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "issuer is missing"),
        ('issuer = "http://auth.example.com"\n', "https"),
        ('issuer = "https://auth.example.com/?x=1"\n', "query"),
        (ISSUER + "[tokens]\ndefault_life = 900\nmax_life = 600\n", "default_life is longer than max_life"),
        (ISSUER + "[tokens]\nmax_life = 86401\n", "tokens.max_life"),
        (ISSUER + "[keys]\npublish_before = 299\n", "publish_before is shorter than jwks_max_age"),
        (ISSUER + "[keys]\nrotate_after = 86400\n", "rotate_after must be longer than publish_before"),
        (ISSUER + '[keys]\nalgorithms = ["HS256"]\n', "keys.algorithms.0"),
        (ISSUER + "[keys]\nalgorithms = []\n", "keys.algorithms"),
        (ISSUER + '[server]\nhost = "0.0.0.0"\n', "host is not loopback and there is no certificate"),
        (ISSUER + '[server]\ntls_certificate_file = "c.pem"\n', "go together"),
        (ISSUER + '[management]\nhost = "0.0.0.0"\n', "management: host is not loopback"),
        (ISSUER + '[fetching]\nallow_networks = ["10.0.0.1/8"]\n', "is no network"),
        (ISSUER + "[server]\nport = 65536\n", "server.port"),
        (ISSUER + "[static.clients.usr_1]\n", 'must not begin with "usr_"'),
        (ISSUER + '[static.clients."a b"]\n', "1 to 64 of the characters"),
        (ISSUER + "[static.clients.shop]\ntoken_life = 3601\n", "longer than tokens.max_life"),
        (ISSUER + '[static.clients.shop]\njwks_uri = "http://shop.example"\n', "must be an https URL"),
        (ISSUER + '[static.apis.orders]\nidentifier = "orders"\n', "absolute URI"),
        (ISSUER + '[static.apis.orders]\nidentifier = "https://o.example#x"\n', "absolute URI"),
        (
            ISSUER + '[static.apis.orders]\nidentifier = "https://o.example"\nscopes = {"a b" = ""}\n',
            "is no scope",
        ),
        (
            ISSUER
            + '[static.apis.a]\nidentifier = "https://o.example"\n[static.apis.b]\nidentifier = "https://o.example"\n',
            "same identifier",
        ),
        ("issuer = \n", "is no TOML"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(toml: Path, text: str, part: str) -> None:
    """standards 97: the issuer is configuration, an https URL without query and fragment."""
    assert part in refusal(toml, text)


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nhost = "0.0.0.0"\nbehind_proxy = true\n',
        '[server]\nhost = "0.0.0.0"\ntls_certificate_file = "c.pem"\ntls_private_key_file = "k.pem"\n',
        '[server]\nhost = "::1"\n',
        '[management]\nhost = "10.0.0.1"\nbehind_proxy = true\n',
        "[keys]\npublish_before = 300\n",
        "[tokens]\ndefault_life = 3600\n",
        '[static.clients.shop]\njwks_uri = "http://shop.example"\n[fetching]\nallow_http = true\n',
    ],
)
def test_what_fits_is_taken(toml: Path, text: str) -> None:
    toml.write_text(ISSUER + text)
    assert load_settings(toml, {}).issuer == "https://auth.example.com"


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "no.toml", {})
