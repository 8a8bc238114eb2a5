"""The published examples of RFC 7515, 7520, 7638 and 8037, and the edge cases of ECDSA, EdDSA and RSA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, jwk, jws
from ostiary.protocol.algorithms import ALGORITHMS

EXAMPLES = json.loads((Path(__file__).parent.parent / "vectors" / "jose_examples.json").read_text())
EDGES = json.loads((Path(__file__).parent.parent / "vectors" / "signature_edges.json").read_text())


@pytest.mark.parametrize("example", EXAMPLES["signatures"], ids=lambda example: example["source"])
def test_published_signature_verifies(example: dict[str, Any]) -> None:
    token = jws.parse(example["token"])
    key = jwk.parse_public_key(example["jwk"], alg=example["alg"])
    assert jws.verify(token, key) == base64url.decode(example["token"].split(".")[1].encode())


@pytest.mark.parametrize("example", EXAMPLES["signatures"], ids=lambda example: example["source"])
def test_published_signature_over_another_payload_is_refused(example: dict[str, Any]) -> None:
    header, payload, signature = example["token"].split(".")
    token = jws.parse(".".join([header, ("A" if payload[0] != "A" else "B") + payload[1:], signature]))
    with pytest.raises(VerificationError, match=r"^signature:"):
        jws.verify(token, jwk.parse_public_key(example["jwk"], alg=example["alg"]))


@pytest.mark.parametrize("example", EXAMPLES["thumbprints"], ids=lambda example: example["source"])
def test_published_thumbprint_is_ours(example: dict[str, Any]) -> None:
    assert jwk.parse_public_key(example["jwk"], alg=example["alg"]).thumbprint == example["thumbprint"]


def test_unsecured_example_is_refused() -> None:
    """RFC 7515 A.5. attack 2, standards 61."""
    with pytest.raises(VerificationError):
        jws.parse(EXAMPLES["unsecured"])


def test_a_good_signature_stands_beside_the_edge_cases_of_each_key() -> None:
    assert {edge["alg"] for edge in EDGES} == {edge["alg"] for edge in EDGES if edge["good"]}
    assert {edge["alg"] for edge in EDGES} == set(ALGORITHMS)


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge['alg']}: {edge['case']}")
def test_edge_case_of_a_signature(edge: dict[str, Any]) -> None:
    """attack 5, standards 63: r and s in 1 to n-1, exact lengths, S below L, paddings and salts as specified."""
    key = jwk.parse_public_key(edge["jwk"])
    message, signature = bytes.fromhex(edge["message"]), bytes.fromhex(edge["signature"])
    if edge["good"]:
        key.verify(message, signature)
        return
    with pytest.raises(VerificationError, match=r"^signature:"):
        key.verify(message, signature)
