"""The form parser: strict, bounded, and never another exception."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.authorization_server.form import MAX_FIELDS, parse
from ostiary.errors import OAuthError

PRINTABLE = st.text(st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="\x7f"), min_size=1)


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=1+2", {"a": "1 2"}),
        (b"a=%2B%25%26%3d", {"a": "+%&="}),
        (b"a=%C3%A9", {"a": "é"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"%61=1", {"a": "1"}),
    ],
)
def test_a_form_is_decoded(body: bytes, parameters: dict[str, str]) -> None:
    assert parse(body) == parameters


@pytest.mark.parametrize("body", [b"a=&b=1", b"a&b=1", b"&b=1&", b"b=1&a="])
def test_parameters_without_a_value_count_as_omitted(body: bytes) -> None:
    """RFC 6749 3.2."""
    assert parse(body) == {"b": "1"}


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=2",
        b"a=1&a=1",
        b"a=1&a=",
        b"a=1&%61=2",
        b"a=%",
        b"a=%4",
        b"a=%zz",
        b"a=%00",
        b"a=%0a",
        b"a=%7F",
        b"a=%7f",
        b"a=1\n",
        b"a=\x00",
        b"a=\xc3\xa9",
        b"a=%FF",
        b"a=%C3",
        b"a=%ED%A0%80",
        b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS + 1)),
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(OAuthError) as refusal:
        parse(body)
    assert (refusal.value.code, refusal.value.status) == ("invalid_request", 400)


def test_as_many_fields_as_are_allowed_are_taken() -> None:
    assert len(parse(b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS)))) == MAX_FIELDS


def test_two_resources_have_a_code_of_their_own() -> None:
    """RFC 8707 2 allows several; a token of ours is for one."""
    with pytest.raises(OAuthError) as refusal:
        parse(b"resource=a&resource=b")
    assert refusal.value.code == "invalid_target"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_a_refusal(body: bytes) -> None:
    try:
        parameters = parse(body)
    except OAuthError:
        return
    assert all(parameters.values())
    assert parameters == {name: value for name, value in parse_qsl(body.decode(), errors="strict") if value}


@given(st.dictionaries(PRINTABLE, PRINTABLE, max_size=10))
def test_every_form_that_is_written_is_read_back(parameters: dict[str, str]) -> None:
    assert parse(urlencode(parameters).encode()) == parameters
