"""Secrets come by file or environment, files only if nobody else can read them, and are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.settings import load_settings

ISSUER = 'issuer = "https://auth.example.com"\n'
URL = "postgresql://ostiary:hunter2@db.example.com/ostiary"


def secret(tmp_path: Path, content: bytes = b"hunter2", mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_storage_url_may_come_from_a_secret_file(tmp_path: Path) -> None:
    environ = {
        "OSTIARY_ISSUER": "https://auth.example.com",
        "OSTIARY_STORAGE__URL_FILE": str(secret(tmp_path, URL.encode() + b"\n")),
    }
    assert load_settings(None, environ).storage.url == URL


def test_a_secret_file_named_by_the_environment_must_be_closed_to_others(tmp_path: Path) -> None:
    path = secret(tmp_path, URL.encode(), mode=0o644)
    environ = {"OSTIARY_ISSUER": "https://auth.example.com", "OSTIARY_STORAGE__URL_FILE": str(path)}
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_settings(None, environ)


def test_a_setting_given_twice_by_value_and_by_file_is_refused(tmp_path: Path) -> None:
    environ = {
        "OSTIARY_ISSUER": "https://auth.example.com",
        "OSTIARY_STORAGE__URL": URL,
        "OSTIARY_STORAGE__URL_FILE": str(secret(tmp_path)),
    }
    with pytest.raises(ConfigurationError, match="both set"):
        load_settings(None, environ)


def test_only_secrets_may_come_by_file(tmp_path: Path) -> None:
    environ = {"OSTIARY_ISSUER_FILE": str(secret(tmp_path))}
    with pytest.raises(ConfigurationError, match="OSTIARY_ISSUER_FILE is no setting"):
        load_settings(None, environ)


def test_the_key_encryption_key_may_not_stand_in_the_file(tmp_path: Path) -> None:
    toml = secret(tmp_path, (ISSUER + '[keys]\nkey_encryption_key = "c2VjcmV0"\n').encode())
    with pytest.raises(ConfigurationError, match="key_encryption_key_file") as refused:
        load_settings(toml, {})
    assert "c2VjcmV0" not in str(refused.value)


def test_two_key_encryption_keys_are_refused(tmp_path: Path) -> None:
    environ = {
        "OSTIARY_ISSUER": "https://auth.example.com",
        "OSTIARY_KEYS__KEY_ENCRYPTION_KEY": "c2VjcmV0",
        "OSTIARY_KEYS__KEY_ENCRYPTION_KEY_FILE": str(tmp_path / "kek"),
    }
    with pytest.raises(ConfigurationError, match="both given"):
        load_settings(None, environ)


@pytest.mark.parametrize(("mode", "taken"), [(0o600, True), (0o640, False)])
def test_a_file_with_a_password_in_the_storage_url_must_be_closed_to_others(
    tmp_path: Path, mode: int, taken: bool
) -> None:
    toml = secret(tmp_path, (ISSUER + f'[storage]\nurl = "{URL}"\n').encode(), mode)
    if taken:
        assert load_settings(toml, {}).storage.url == URL
        return
    with pytest.raises(ConfigurationError, match="chmod 600") as refused:
        load_settings(toml, {})
    assert "hunter2" not in str(refused.value)


def test_the_representation_of_settings_shows_no_secret(tmp_path: Path) -> None:
    environ = {
        "OSTIARY_ISSUER": "https://auth.example.com",
        "OSTIARY_STORAGE__URL": URL,
        "OSTIARY_KEYS__KEY_ENCRYPTION_KEY": "c2VjcmV0",
    }
    shown = repr(load_settings(None, environ))
    assert "hunter2" not in shown
    assert "c2VjcmV0" not in shown


def test_the_address_of_valkey_is_kept_as_the_databases_is(tmp_path: Path) -> None:
    """It may hold a password: by a secret file, or in a settings file that nobody else can read."""
    valkey = "valkeys://ostiary:hunter2@valkey.example.com/0"
    named = str(secret(tmp_path, valkey.encode()))
    environ = {"OSTIARY_STORAGE__WAKE_UPS_URL_FILE": named, "OSTIARY_STORAGE__URL": URL}
    settings = load_settings(None, {"OSTIARY_ISSUER": "https://auth.example.com", **environ})
    assert settings.storage.wake_ups_url == valkey
    assert "hunter2" not in repr(settings)
    written = (ISSUER + f'[storage]\nurl = "postgresql://db/ostiary"\nwake_ups_url = "{valkey}"\n').encode()
    with pytest.raises(ConfigurationError, match=r"storage.wake_ups_url holds a password.*WAKE_UPS_URL_FILE"):
        load_settings(secret(tmp_path, written, 0o644), {})


def test_nodes_of_sqlite_are_woken_by_sqlite_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="wake_ups_url is for nodes that share a PostgreSQL"):
        load_settings(secret(tmp_path, (ISSUER + '[storage]\nwake_ups_url = "valkey://v"\n').encode()), {})
