"""The settings of a token: where its PIN may stand, and what is said when the extra is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.key_management.open import key_token
from ostiary.settings.load import load_settings

TOKEN = 'issuer = "https://auth.example.com"\n[certificate_authority.pkcs11]\nmodule = "m.so"\ntoken = "ostiary"\n'
PIN = "OSTIARY_CERTIFICATE_AUTHORITY__PKCS11__PIN"


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "ostiary.toml"
    path.write_text(text)
    return path


def test_the_pin_may_come_from_the_environment(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, TOKEN), {PIN: "1234"})
    token = settings.certificate_authority.pkcs11
    assert token is not None
    assert token.pin is not None
    assert token.pin.get_secret_value() == "1234"
    assert "1234" not in repr(settings)


def test_the_pin_may_come_from_a_file_beside_the_settings(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, TOKEN + 'pin_file = "pin"\n'), {})
    token = settings.certificate_authority.pkcs11
    assert token is not None
    assert token.pin_file == tmp_path / "pin"


def test_the_pin_does_not_stand_in_the_settings_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="pin_file names") as refused:
        load_settings(settings_file(tmp_path, TOKEN + 'pin = "1234"\n'), {})
    assert "1234" not in str(refused.value)


@pytest.mark.parametrize(("line", "environ"), [("", {}), ('pin_file = "pin"\n', {PIN: "1234"})])
def test_there_is_one_pin(tmp_path: Path, line: str, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="one of both"):
        load_settings(settings_file(tmp_path, TOKEN + line), environ)


def test_a_setting_three_levels_deep_comes_from_the_environment(tmp_path: Path) -> None:
    path = settings_file(tmp_path, 'issuer = "https://auth.example.com"\n')
    prefix = "OSTIARY_CERTIFICATE_AUTHORITY__CLIENT__"
    settings = load_settings(path, {f"{prefix}LIFE": "600", f"{prefix}MAX_LIFE": "900"})
    assert settings.certificate_authority.client.life == 600


def test_a_token_without_the_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name == "pkcs11" or name.startswith(
            ("pkcs11.", "ostiary.key_management.pkcs11", "ostiary.key_management.token_k")
        ):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    settings = load_settings(settings_file(tmp_path, TOKEN), {PIN: "1234"})
    with pytest.raises(ConfigurationError, match=r'certificate_authority\.pkcs11: This needs the extra "pkcs11"'):
        key_token(settings.certificate_authority)


def test_without_the_setting_there_is_no_token(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, 'issuer = "https://auth.example.com"\n'), {})
    assert key_token(settings.certificate_authority) is None
