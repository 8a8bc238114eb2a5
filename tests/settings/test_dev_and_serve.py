"""``dev`` needs nothing and stays on loopback; ``serve`` refuses what is only fit for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.key_management.file import FileKeyManagement
from ostiary.settings import Settings, dev_settings, load_settings, serve_checks, serve_warnings

PRODUCTION = {
    "OSTIARY_ISSUER": "https://auth.example.com",
    "OSTIARY_KEYS__KEY_ENCRYPTION_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
}


def production(**further: str) -> Settings:
    return load_settings(None, PRODUCTION | further)


def test_dev_is_on_loopback_with_all_data_in_its_folder(tmp_path: Path) -> None:
    settings = dev_settings(tmp_path / ".ostiary")
    assert settings.issuer == "http://localhost:8400"
    assert (settings.server.host, settings.management.host) == ("localhost", "127.0.0.1")
    assert settings.storage.url.startswith(f"sqlite:///{tmp_path}/.ostiary/")
    assert settings.audit.heads_file is not None
    assert settings.audit.heads_file.is_relative_to(tmp_path / ".ostiary")
    assert settings.dev


def test_dev_makes_its_key_encryption_key_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = dev_settings(tmp_path)
    path = first.keys.key_encryption_key_file
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    name = FileKeyManagement.from_settings(first.keys).wrapping_key_id()
    assert FileKeyManagement.from_settings(dev_settings(tmp_path).keys).wrapping_key_id() == name


def test_serve_takes_settings_for_production() -> None:
    serve_checks(production())


def test_serve_refuses_the_settings_of_dev(tmp_path: Path) -> None:
    settings = production().model_copy(update={"dev": True})
    with pytest.raises(ConfigurationError, match="ostiary dev"):
        serve_checks(settings)


def test_serve_refuses_an_issuer_that_is_http() -> None:
    with pytest.raises(ConfigurationError, match="use an https issuer"):
        serve_checks(production(OSTIARY_ISSUER="http://localhost:8400"))


def test_serve_refuses_to_fetch_by_plain_http() -> None:
    with pytest.raises(ConfigurationError, match="allow_http"):
        serve_checks(production(OSTIARY_FETCHING__ALLOW_HTTP="true"))


def test_serve_refuses_to_start_without_a_key_encryption_key() -> None:
    with pytest.raises(ConfigurationError, match="key-encryption key"):
        serve_checks(load_settings(None, {"OSTIARY_ISSUER": "https://auth.example.com"}))


def test_serve_refuses_a_tls_key_that_others_can_read(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----")
    settings = production(OSTIARY_SERVER__TLS_CERTIFICATE_FILE="c.pem", OSTIARY_SERVER__TLS_PRIVATE_KEY_FILE=str(key))
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        serve_checks(settings)
    key.chmod(0o600)
    serve_checks(settings)


def test_serve_warns_in_one_sentence_of_an_audit_log_without_a_witness_and_says_where_it_should_live() -> None:
    [warning] = serve_warnings(production())
    assert warning.startswith("There is no audit.heads_file")
    assert 'heads_file = "/var/lib/ostiary-heads/heads.jsonl"' in warning
    assert "copy it to another machine" in warning


def test_serve_warns_of_nothing_when_there_is_one(tmp_path: Path) -> None:
    assert serve_warnings(production(OSTIARY_AUDIT__HEADS_FILE=str(tmp_path / "heads"))) == []
