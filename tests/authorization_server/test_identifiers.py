"""Identifiers: ordered by time, never twice."""

from __future__ import annotations

import re

from ostiary.authorization_server.identifiers import new_grant_id, new_jti


def test_the_order_of_the_texts_is_the_order_of_time() -> None:
    made = [new_jti(at) for at in (0, 0.001, 1, 1_799_999_999.999, 1_800_000_000, 2**33)]
    assert made == sorted(made)
    assert {len(jti) for jti in made} == {36}


def test_within_a_millisecond_they_differ_at_random() -> None:
    assert len({new_jti(1.0) for _ in range(1000)}) == 1000


def test_randomness_is_an_argument() -> None:
    assert new_jti(1.0, random=bytes) == "0000000003e8" + "00" * 12


def test_a_grant_id_is_told_apart() -> None:
    assert re.fullmatch(r"gr_[0-9a-f]{36}", new_grant_id(1.0))
