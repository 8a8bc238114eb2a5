"""The confirmation ``x5t#S256``: RFC 8705 section 3.1 and its example."""

from __future__ import annotations

import base64

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol.certificate_binding import bound_thumbprint, check_bound, confirmation, thumbprint
from tests.vectors.client_certificates import RFC_8705, RFC_8705_THUMBPRINT, RFC_9440_CLIENT

CERTIFICATE = base64.b64decode(RFC_8705)


def test_the_example_of_rfc_8705_has_its_thumbprint() -> None:
    assert thumbprint(CERTIFICATE) == RFC_8705_THUMBPRINT
    assert confirmation(CERTIFICATE) == {"x5t#S256": RFC_8705_THUMBPRINT}
    check_bound(bound_thumbprint(confirmation(CERTIFICATE)), CERTIFICATE)


def test_another_certificate_is_refused_and_both_are_named() -> None:
    """standards 79."""
    other = base64.b64decode(RFC_9440_CLIENT)
    with pytest.raises(VerificationError, match="bound to another certificate") as refused:
        check_bound(RFC_8705_THUMBPRINT, other)
    assert refused.value.check == "sender_constraint"
    assert thumbprint(other) in refused.value.seen
    assert RFC_8705_THUMBPRINT in refused.value.expected


@pytest.mark.parametrize(
    "cnf",
    [
        {},
        {"jkt": RFC_8705_THUMBPRINT},
        {"x5t#S256": RFC_8705_THUMBPRINT, "jkt": RFC_8705_THUMBPRINT},
        {"x5t#s256": RFC_8705_THUMBPRINT},
        RFC_8705_THUMBPRINT,
        [RFC_8705_THUMBPRINT],
        None,
    ],
)
def test_a_confirmation_that_is_not_this_one_alone_is_refused(cnf: object) -> None:
    with pytest.raises(VerificationError, match="proof of possession") as refused:
        bound_thumbprint(cnf)
    assert refused.value.check == "sender_constraint"


@pytest.mark.parametrize(
    "value",
    [
        "",
        RFC_8705_THUMBPRINT[:-1],
        RFC_8705_THUMBPRINT + "=",
        RFC_8705_THUMBPRINT + "A",
        RFC_8705_THUMBPRINT[:-1] + "1",  # stray bits: the same octets in a second spelling
        RFC_8705_THUMBPRINT.replace("4", "+"),
        " " + RFC_8705_THUMBPRINT[1:],
        "é" + RFC_8705_THUMBPRINT[1:],
        7,
        None,
        [RFC_8705_THUMBPRINT],
    ],
)
def test_a_thumbprint_is_43_characters_of_base64url(value: object) -> None:
    with pytest.raises(VerificationError, match="cnf unusable"):
        bound_thumbprint({"x5t#S256": value})
