"""Two different rows never have the same canonical bytes, and a head is bound to everything before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from ostiary.audit import chain
from ostiary.model.audit_row import AuditRow

ROW = AuditRow(
    "writer", 7, 1_800_000_000_000, "token:issued", "allowed", "client", "jti", "thumbprint", "", "", {"api": "orders"},
    {"address": "192.0.2.1"}, b"salt", b"digest", 3, 0,
)  # fmt: skip
OTHER: dict[str, object] = {
    "writer": "writes", "number": 8, "at": 5, "tag": "token:refused", "outcome": "refused", "actor": "clienu",
    "target": "jtj", "key_thumbprint": "other", "reason": "r", "trace_id": "t", "details": {"api": "other"},
    "personal_digest": b"digesu", "tenant": "other",
}  # fmt: skip
OUTSIDE = {"personal", "personal_salt", "segment", "place"}


@pytest.mark.parametrize("name", sorted(OTHER))
def test_every_fact_of_a_row_is_in_its_canonical_bytes(name: str) -> None:
    assert chain.canonical(replace(ROW, **{name: OTHER[name]})) != chain.canonical(ROW)


def test_no_column_is_forgotten() -> None:
    assert {field.name for field in fields(AuditRow)} == set(OTHER) | OUTSIDE


def test_personal_data_are_not_in_the_canonical_bytes() -> None:
    erased = replace(ROW, personal=None, personal_salt=None)
    assert chain.canonical(erased) == chain.canonical(ROW)
    assert b"192.0.2.1" not in chain.canonical(ROW)


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_neighbouring_fields_never_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    one, two = replace(ROW, actor=a, target=b), replace(ROW, actor=c, target=d)
    assert (chain.canonical(one) == chain.canonical(two)) == ((a, b) == (c, d))


def test_the_order_of_details_does_not_matter() -> None:
    one = replace(ROW, details={"a": "1", "b": "2"})
    assert chain.canonical(one) == chain.canonical(replace(ROW, details={"b": "2", "a": "1"}))


def test_a_link_depends_on_the_head_before_it() -> None:
    assert chain.link(b"\x00" * 32, ROW) != chain.link(b"\x01" * 32, ROW)


def test_the_order_of_rows_matters() -> None:
    other = replace(ROW, number=8)
    start = chain.beginning("A1b2C3")
    assert chain.link_all(start, [ROW, other]) != chain.link_all(start, [other, ROW])


def test_chains_of_two_installations_begin_differently() -> None:
    assert chain.beginning("A1b2C3") != chain.beginning("A1b2C4")


def test_the_same_personal_data_under_two_salts_have_two_digests() -> None:
    assert chain.personal_digest(b"a" * 16, {"x": "y"}) != chain.personal_digest(b"b" * 16, {"x": "y"})
