"""Secrets come by file or environment, files only if nobody else can read them, and are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.settings import load_settings
from ostiary.settings.secret_files import MAX_BYTES, read_secret_file, write_secret_file

ISSUER = 'issuer = "https://auth.example.com"\n'
URL = "postgresql://ostiary:hunter2@db.example.com/ostiary"


def secret(tmp_path: Path, content: bytes = b"hunter2", mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_secret_file_of_its_owner_alone_is_read(tmp_path: Path) -> None:
    assert read_secret_file(secret(tmp_path)) == b"hunter2"
    assert read_secret_file(secret(tmp_path, mode=0o400)) == b"hunter2"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_secret_file_that_others_may_use_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    path = secret(tmp_path, mode=mode)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}") as refused:
        read_secret_file(path)
    assert "hunter2" not in str(refused.value)


def test_a_secret_file_that_is_no_file_or_too_long_or_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no regular file"):
        read_secret_file(tmp_path)
    with pytest.raises(ConfigurationError, match="longer than"):
        read_secret_file(secret(tmp_path, b"x" * (MAX_BYTES + 1)))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_secret_file(tmp_path / "absent")


def test_a_written_secret_file_is_for_its_owner_alone_and_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new"
    write_secret_file(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError, match="not overwritten"):
        write_secret_file(path, b"two")
    assert path.read_bytes() == b"one"


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
