"""Private keys leave key management only wrapped, and a wrapped key opens only for what it was made for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError
from ostiary.key_management.base import GeneratedKey
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.key_encryption_key import KeyEncryptionKey, create_key_encryption_key, wrapped_by
from ostiary.protocol import base64url, jws
from ostiary.protocol.jwk import parse_public_key
from ostiary.settings.sections import KeySettings

KEY, OTHER = KeyEncryptionKey(bytes(range(32))), KeyEncryptionKey(bytes(range(1, 33)))


def management(key: KeyEncryptionKey = KEY) -> FileKeyManagement:
    return FileKeyManagement(lambda: key)


def generated(alg: str = "ES256", key: KeyEncryptionKey = KEY) -> GeneratedKey:
    return asyncio.run(management(key).generate(alg, use="token"))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"])
def test_a_generated_key_signs_what_its_public_half_verifies(alg: str) -> None:
    """standards 118: RSA of 2048 bits and more, EC on P-256 and above; standards 64: Ed25519 by its own name."""
    pair = generated(alg)
    public = parse_public_key(pair.public_jwk)
    signer = management().signer(pair.kid, "token", alg, pair.wrapped)
    token = jws.sign(b"{}", signer, typ="at+jwt")
    assert jws.verify(jws.parse(token), public) == b"{}"
    assert (public.kid, public.alg) == (pair.kid, alg) == (signer.kid, signer.alg)
    assert public.kid == public.thumbprint


def test_an_algorithm_that_is_not_allowed_is_not_generated() -> None:
    with pytest.raises(ConfigurationError, match="HS256"):
        generated("HS256")


def test_neither_the_public_form_nor_a_representation_shows_the_private_key() -> None:
    pair = generated("EdDSA")
    assert "d" not in json.loads(pair.public_jwk)
    assert str(pair.wrapped) not in repr(pair)
    signer = management().signer(pair.kid, "token", "EdDSA", pair.wrapped)
    assert "private" not in repr(signer).lower()


@pytest.mark.parametrize(
    ("kid", "use", "alg"), [("another", "token", "ES256"), (None, "audit", "ES256"), (None, "token", "ES384")]
)
def test_a_wrapped_key_does_not_open_for_another_kid_use_or_algorithm(kid: str | None, use: str, alg: str) -> None:
    """standards 50, standards 68: one key, one algorithm, one use; a row cannot pass for another."""
    pair = generated()
    with pytest.raises(ConfigurationError, match="does not open"):
        management().signer(kid or pair.kid, use, alg, pair.wrapped)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [12, 23, 24, -1])
def test_a_wrapped_key_that_was_altered_does_not_open(place: int) -> None:
    pair = generated()
    altered = bytearray(pair.wrapped)
    altered[place] ^= 1
    with pytest.raises(ConfigurationError, match="does not open"):
        management().signer(pair.kid, "token", "ES256", bytes(altered))


@pytest.mark.parametrize("wrapped", [b"", b"OKW1", b"OKW2" + bytes(60), b"OKW1" + bytes(20)])
def test_what_is_no_wrapped_key_is_told_as_such(wrapped: bytes) -> None:
    with pytest.raises(ConfigurationError, match="OKW1"):
        management().signer("kid", "token", "ES256", wrapped)


def test_another_key_encryption_key_is_told_by_name() -> None:
    pair = generated()
    with pytest.raises(ConfigurationError, match=f"{KEY.name}, and the one at hand is {OTHER.name}"):
        management(OTHER).signer(pair.kid, "token", "ES256", pair.wrapped)


def test_rewrapping_hands_the_key_to_the_new_key_encryption_key_alone() -> None:
    pair = generated()
    rewrapped = management().rewrap(pair.kid, "token", "ES256", pair.wrapped, new=OTHER)
    assert wrapped_by(rewrapped) == OTHER.name
    assert management(OTHER).signer(pair.kid, "token", "ES256", rewrapped).kid == pair.kid
    with pytest.raises(ConfigurationError):
        management().signer(pair.kid, "token", "ES256", rewrapped)


def test_a_file_is_read_again_when_a_key_was_wrapped_by_another(tmp_path: Path) -> None:
    path, new = tmp_path / "kek", tmp_path / "new"
    create_key_encryption_key(path)
    running = FileKeyManagement.from_file(path)
    pair = asyncio.run(running.generate("ES256", use="token"))
    rewrapped = running.rewrap(pair.kid, "token", "ES256", pair.wrapped, new=create_key_encryption_key(new))
    with pytest.raises(ConfigurationError, match="the one at hand"):
        running.signer(pair.kid, "token", "ES256", rewrapped)
    new.replace(path)
    assert running.signer(pair.kid, "token", "ES256", rewrapped).kid == pair.kid


def test_two_wrappings_of_one_key_have_nothing_in_common_but_their_name() -> None:
    one, two = KEY.wrap(b"plain", b""), KEY.wrap(b"plain", b"")
    assert one[:12] == two[:12]
    assert one[12:] != two[12:]


def test_a_new_key_encryption_key_is_written_for_its_owner_alone_and_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    made = create_key_encryption_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyEncryptionKey.from_file(path).name == made.name
    with pytest.raises(ConfigurationError, match="not overwritten"):
        create_key_encryption_key(path)


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33), bytes(32), b"\xff" * 32])
def test_a_key_encryption_key_of_another_length_or_of_one_byte_is_refused(raw: bytes) -> None:
    with pytest.raises(ConfigurationError, match="new-kek"):
        KeyEncryptionKey.from_text(base64url.encode(raw))


def test_a_key_encryption_key_that_is_no_base64url_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="base64url") as refused:
        KeyEncryptionKey.from_text("hunter2!")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_padding_and_a_line_end_are_taken() -> None:
    text = base64url.encode(bytes(range(32)))
    assert KeyEncryptionKey.from_text(text + b"=\n").name == KEY.name


def test_the_representation_of_a_key_encryption_key_is_its_name() -> None:
    assert repr(KEY) == f"KeyEncryptionKey({KEY.name})"


def test_settings_without_a_key_encryption_key_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no key-encryption key"):
        FileKeyManagement.from_settings(KeySettings())


def test_the_environment_gives_the_key_encryption_key() -> None:
    settings = KeySettings.model_validate({"key_encryption_key": base64url.encode(bytes(range(32))).decode()})
    assert FileKeyManagement.from_settings(settings).wrapping_key_id() == KEY.name
