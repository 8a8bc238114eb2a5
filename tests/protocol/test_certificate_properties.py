"""Whatever a header holds, one certificate comes out of it, or a refusal: no other error, no second reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.errors import VerificationError
from ostiary.protocol import certificate_headers
from tests.protocol.test_certificate_headers import CLIENT_CERT, DER, ENVOY, ESCAPED

READERS: list[tuple[Callable[[Sequence[bytes]], bytes], bytes]] = [
    (certificate_headers.client_cert, CLIENT_CERT),
    (certificate_headers.x_forwarded_client_cert, ENVOY.encode()),
    (certificate_headers.escaped_pem, ESCAPED.encode()),
]
readers = pytest.mark.parametrize(("read", "good"), READERS, ids=["client-cert", "envoy", "nginx"])


def outcome(read: Callable[[Sequence[bytes]], bytes], value: bytes) -> bytes | str:
    """The certificate, or the check that refused."""
    try:
        return read([value])
    except VerificationError as error:
        return error.check


@readers
@given(value=st.binary(max_size=300))
def test_any_octets_are_refused_by_name(read: Callable[[Sequence[bytes]], bytes], good: bytes, value: bytes) -> None:
    assert outcome(read, value) == "certificate"


@readers
@given(place=st.integers(min_value=0), octets=st.binary(max_size=3), cut=st.integers(min_value=0, max_value=3))
def test_a_good_header_with_a_change_is_the_same_certificate_another_or_none(
    read: Callable[[Sequence[bytes]], bytes], good: bytes, place: int, octets: bytes, cut: int
) -> None:
    """What still reads as the certificate differs only where the format gives a choice: in other pairs, or in case."""
    at = place % len(good)
    changed = good[:at] + octets + good[at + cut :]
    found = outcome(read, changed)
    if read is certificate_headers.client_cert:
        assert (found == DER) == (changed == good)
    elif read is certificate_headers.x_forwarded_client_cert:
        assert found in (DER, "certificate")
