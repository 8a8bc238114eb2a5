"""Key files: closed to others, never written over, and what is wrong is told in one sentence."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ostiary.client.credential_file import client_credential, load_api_credential, load_client_credential, load_key
from ostiary.errors import ConfigurationError
from ostiary.protocol import credential
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.secret_files import MAX_BYTES, read_secret_file, write_secret_file


def test_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_secret_file(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secret_file(path) == b"secret"


def test_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_secret_file(path, b"first")
    with pytest.raises(ConfigurationError, match="exists already"):
        write_secret_file(path, b"second")
    assert read_secret_file(path) == b"first"


def test_link_is_not_followed_when_a_key_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError):
        write_secret_file(tmp_path / "link", b"secret")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
def test_file_that_others_have_a_right_on_is_refused_with_the_mend(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_secret_file(path, b"secret")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        read_secret_file(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_file_of_its_owner_alone_is_read(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_secret_file(path, b"secret")
    path.chmod(mode)
    assert read_secret_file(path) == b"secret"


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_secret_file(tmp_path / "none")


def test_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        read_secret_file(tmp_path)


def test_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_secret_file(path, b"x" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="longer"):
        read_secret_file(path)


@pytest.mark.parametrize(
    ("kind", "load"), [(credential.API, load_client_credential), (credential.CLIENT, load_api_credential)]
)
def test_credential_of_the_other_kind_is_refused(kind: str, load: object, tmp_path: Path, key: SigningKey) -> None:
    audience = "https://orders.example.com" if kind == credential.API else None
    path = tmp_path / "own.json"
    write_secret_file(path, Credential(kind, "https://auth.example.com", "own", key, audience).to_json())
    with pytest.raises(ConfigurationError, match="type"):
        load(path)  # type: ignore[operator]


def test_api_credential_is_loaded(tmp_path: Path, key: SigningKey) -> None:
    own = Credential(credential.API, "https://auth.example.com", "api_1", key, "https://orders.example.com")
    write_secret_file(tmp_path / "api.json", own.to_json())
    assert load_api_credential(tmp_path / "api.json") == own


def test_key_that_cannot_be_used_is_told_without_a_part_of_it(key: SigningKey) -> None:
    secret = key.private_jwk()["d"]
    with pytest.raises(ConfigurationError) as caught:
        load_key(b'{"kty":"EC","crv":"P-256","d":"' + secret.encode() + b'"}')
    assert secret not in str(caught.value)


def test_public_key_is_no_private_key(key: SigningKey) -> None:
    import msgspec

    with pytest.raises(ConfigurationError, match="private key"):
        load_key(msgspec.json.encode(key.verification_key.public_jwk()))


def test_registered_name_of_a_pem_key_is_given_beside_it(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.chmod(0o600)
    own = client_credential(issuer="https://auth.example.com", client_id="own", key=path, kid="key-7")
    assert (own.key.kid, own.key.alg) == ("key-7", "ES256")


@pytest.mark.parametrize("issuer", ["http://auth.example.com", "https://auth.example.com/", "auth.example.com", ""])
def test_issuer_that_cannot_be_one_is_refused(issuer: str, key: SigningKey) -> None:
    with pytest.raises(ConfigurationError):
        client_credential(issuer=issuer, client_id="own", key=key)
