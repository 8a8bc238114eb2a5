"""Every signature we make or take, against two independent implementations, in both directions."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from joserfc import jwk as other_jwk
from joserfc import jws as other_jws

from ostiary.errors import VerificationError
from ostiary.protocol import jws
from ostiary.protocol.algorithms import ALGORITHMS
from tests.protocol.keys import signing_key

PAYLOAD = b'{"iss":"https://auth.example.com","n":1}'


def joserfc_key(alg: str, *, private: bool) -> Any:
    key = signing_key(alg)
    members: dict[str, Any] = dict(key.private_jwk() if private else key.verification_key.public_jwk())
    return other_jwk.import_key(members)


def pyjwt_key(alg: str, *, private: bool) -> Any:
    key = signing_key(alg)._private
    return key if private else key.public_key()


def pyjwt_name(alg: str) -> str:
    """PyJWT knows the computation of Ed25519 by its older name alone, unless it was taught the newer."""
    return alg if alg in jwt.algorithms.get_default_algorithms() else "EdDSA"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_joserfc_takes_what_we_sign(alg: str) -> None:
    token = jws.sign(PAYLOAD, signing_key(alg), typ="at+jwt")
    assert other_jws.deserialize_compact(token, joserfc_key(alg, private=False), algorithms=[alg]).payload == PAYLOAD


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_we_take_what_joserfc_signs(alg: str) -> None:
    token = other_jws.serialize_compact({"alg": alg}, PAYLOAD, joserfc_key(alg, private=True), algorithms=[alg])
    assert jws.verify(jws.parse(token), signing_key(alg).verification_key) == PAYLOAD


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_pyjwt_takes_the_signature_we_make(alg: str) -> None:
    message = b"any bytes"
    oracle = jwt.get_algorithm_by_name(pyjwt_name(alg))
    assert oracle.verify(message, pyjwt_key(alg, private=False), signing_key(alg).sign(message)) is True


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_we_take_the_signature_pyjwt_makes(alg: str) -> None:
    message = b"any bytes"
    oracle = jwt.get_algorithm_by_name(pyjwt_name(alg))
    signature = oracle.sign(message, pyjwt_key(alg, private=True))
    signing_key(alg).verification_key.verify(message, signature)
    with pytest.raises(VerificationError, match=r"^signature:"):
        signing_key(alg).verification_key.verify(message + b".", signature)


@pytest.mark.parametrize("alg", [name for name in ALGORITHMS if name != "Ed25519"])
def test_whole_tokens_pass_between_us_and_pyjwt(alg: str) -> None:
    key = signing_key(alg)
    ours = jws.sign(PAYLOAD, key, typ="JWT")
    assert jwt.decode(ours, pyjwt_key(alg, private=False), algorithms=[alg]) == json.loads(PAYLOAD)
    theirs = jwt.encode(json.loads(PAYLOAD), pyjwt_key(alg, private=True), algorithm=alg)
    assert json.loads(jws.verify(jws.parse(theirs), key.verification_key)) == json.loads(PAYLOAD)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_thumbprint_is_that_of_joserfc(alg: str) -> None:
    assert signing_key(alg).verification_key.thumbprint == joserfc_key(alg, private=False).thumbprint()
