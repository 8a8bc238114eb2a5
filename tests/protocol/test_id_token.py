"""ID tokens: the hash of what came beside them never fails open."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol import id_token
from ostiary.protocol.algorithms import ALGORITHMS


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_every_algorithm_that_we_sign_by_has_its_hash(alg: str) -> None:
    """attack 15: CVE-2026-28498 left the hash unchecked for an algorithm that it did not know."""
    half = id_token.half_hash("token", alg)
    sizes = {"256": hashlib.sha256, "384": hashlib.sha384}
    digest = sizes.get(alg[-3:], hashlib.sha512)(b"token").digest()
    assert half == urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256K", "es256", "XX999", ""])
def test_an_algorithm_without_a_known_hash_is_refused(alg: str) -> None:
    """attack 15."""
    with pytest.raises(VerificationError, match="no hash is known"):
        id_token.half_hash("token", alg)
