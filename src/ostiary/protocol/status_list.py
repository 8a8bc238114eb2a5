"""Token Status Lists in JWT form, one bit or more a token: draft-ietf-oauth-status-list-20.

The list is zlib-compressed. It is inflated up to a bound and never beyond, so that a small answer cannot become a large
one. Its size and the number of bits are its issuer's to choose; what a value means is told in section 7.1.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

import msgspec

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, strict_json
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol.checks import ISSUED_AT, STATUS, SUBJECT, Note, checked_leeway, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "statuslist+jwt"
MEDIA_TYPE: Final = "application/statuslist+jwt"
BITS: Final = (1, 2, 4, 8)
VALID: Final = 0
INVALID: Final = 1
SUSPENDED: Final = 2
MAX_OCTETS: Final = 1_048_576
"""Octets of an inflated list: eight million tokens of one bit."""
MAX_TOKEN_LENGTH: Final = 262_144
LAST_INDEX: Final = 2**53


class StatusReference(msgspec.Struct, frozen=True):
    """Where the status of a token stands: the place ``idx`` of the list ``uri`` (section 6.2)."""

    idx: int
    uri: str

    def claim(self) -> dict[str, object]:
        """The claim ``status`` of the token."""
        return {"status_list": {"idx": self.idx, "uri": self.uri}}


class StatusList(msgspec.Struct, frozen=True):
    """A verified list. bits: of each place; octets: all of them; iat, exp, ttl: seconds, the first two since the epoch.

    exp is None for a list without an end of its own, ttl None for one that does not say how long it may be kept.
    """

    uri: str
    bits: int
    octets: bytes
    iat: float
    exp: float | None = None
    ttl: float | None = None
    aggregation_uri: str | None = None

    @property
    def size(self) -> int:
        """How many places it has."""
        return len(self.octets) * 8 // self.bits

    def status(self, idx: int) -> int:
        """The status at the place ``idx``. Raises VerificationError("status") if there is no such place.

        "If the provided index is out of bounds of the Status List, no statement about the status of the Referenced
        Token can be made and the Referenced Token SHOULD be rejected." Section 8.3
        """
        if not 0 <= idx < self.size:
            raise VerificationError(
                STATUS, "its status list has no such place", seen=str(idx), expected=f"less than {self.size}"
            )
        # "packed into bytes from the least significant bit ("0") to the most significant bit ("7")" 4.1
        octet, place = divmod(idx * self.bits, 8)
        return (self.octets[octet] >> place) & ((1 << self.bits) - 1)


def reference(claims: Mapping[str, object]) -> StatusReference | None:
    """Where the token with these claims says that its status stands; None if it says nothing of a status.

    A claim that cannot be read must not pass for none: VerificationError("status"). So does one that names other ways
    alone, for whoever put it there wants a status to be looked at (section 8.3, step 1).
    """
    if "status" not in claims:
        return None
    status = claims["status"]
    named = status.get("status_list") if isinstance(status, dict) else None
    if not isinstance(named, dict):
        raise _unusable_reference(status)
    idx, uri = named.get("idx"), named.get("uri")
    if type(idx) is not int or not 0 <= idx <= LAST_INDEX:
        raise _unusable_reference(named)
    if not isinstance(uri, str) or not 0 < len(uri) <= common.MAX_URL_LENGTH:
        raise _unusable_reference(named)
    return StatusReference(idx, uri)


def pack(octets: bytes) -> str:
    """The member ``lst`` for these octets: "RECOMMENDED to use the highest compression level available" (4.1)."""
    return base64url.encode(zlib.compress(octets, 9)).decode("ascii")


def unpack(lst: str, *, max_octets: int = MAX_OCTETS) -> bytes:
    """The octets of the member ``lst``. Raises VerificationError("status"): broken, truncated, followed by more, too
    large."""
    inflate = zlib.decompressobj()
    try:
        octets = inflate.decompress(base64url.decode(lst.encode("ascii", "replace")), max_octets + 1)
    except zlib.error as error:
        raise _unusable("a list that cannot be inflated", str(error)) from None
    if len(octets) > max_octets:
        raise _unusable(f"a list of more than {max_octets} octets", "a smaller one")
    if not inflate.eof or inflate.unused_data:
        raise _unusable("a list that is cut off, or followed by something", "one whole list")
    return octets


def build(
    *, issuer: str, uri: str, octets: bytes, iat: int, exp: int, ttl: int, bits: int = 1, aggregation_uri: str = ""
) -> bytes:
    """The payload of a list, to be signed with the type ``statuslist+jwt`` (section 5.1).

    octets: ``bits`` for each place; iat, exp: seconds since the epoch; ttl: seconds for which others may keep it.
    """
    status_list: dict[str, object] = {"bits": bits, "lst": pack(octets)}
    if aggregation_uri:
        status_list["aggregation_uri"] = aggregation_uri
    members = {"iss": issuer, "sub": uri, "iat": iat, "exp": exp, "ttl": ttl, "status_list": status_list}
    return strict_json.encode(members)


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    issuer: str,
    uri: str,
    now: float,
    leeway: float = 10,
    max_octets: int = MAX_OCTETS,
    note: Note | None = None,
) -> StatusList:
    """The list that ``issuer`` signed for ``uri``. now, leeway: seconds. Raises VerificationError. Source: 5.1, 8.3."""
    checked_leeway(leeway)
    compact.verify(jws, key, note)
    common.check_type(jws, TYP, note)
    members = jws.claims()
    # The draft asks for no iss; but one that is there must be whose keys these are.
    if "iss" in members:
        common.check_issuer(members, issuer, note)
    _check_subject(members, uri, note)
    issued = common.check_not_future(members, "iat", now, leeway, note)
    if issued is None:
        raise VerificationError(ISSUED_AT, "iat missing", seen="absent", expected="a time", mend='send the claim "iat"')
    expires = common.check_expiry(members, now, leeway, note) if "exp" in members else None
    bits, lst, aggregation_uri = _members(members.get("status_list"))
    return StatusList(
        uri, bits, unpack(lst, max_octets=max_octets), issued, expires, _time_to_live(members), aggregation_uri
    )


def _check_subject(members: Mapping[str, object], uri: str, note: Note | None) -> None:
    # "The subject claim of the Status List Token MUST be equal to the uri claim in the status_list object of the
    # Referenced Token" 8.3
    if members.get("sub") != uri:
        raise VerificationError(
            SUBJECT, "the list of another address", seen=shown(members.get("sub")), expected=shown(uri)
        )
    if note is not None:
        note(SUBJECT, shown(uri), shown(uri))


def _members(status_list: object) -> tuple[int, str, str | None]:
    if not isinstance(status_list, dict):
        raise _unusable(f"status_list {shown(status_list)}", "an object")
    bits, lst, aggregation_uri = (status_list.get(name) for name in ("bits", "lst", "aggregation_uri"))
    # "The allowed values for bits are 1, 2, 4, and 8." 4.2
    if type(bits) is not int or bits not in BITS:
        raise _unusable(f"bits {shown(bits)}", "1, 2, 4 or 8")
    if not isinstance(lst, str):
        raise _unusable(f"lst {shown(lst)}", "a text")
    return bits, lst, aggregation_uri if isinstance(aggregation_uri, str) else None


def _time_to_live(members: Mapping[str, object]) -> float | None:
    ttl = common.numeric_date(members, "ttl", STATUS)
    # "The value of the claim MUST be a positive number encoded in JSON as a number." 5.1
    if ttl is not None and ttl <= 0:
        raise _unusable(f"ttl {ttl}", "a number above 0")
    return ttl


def _unusable(seen: str, expected: str) -> VerificationError:
    return VerificationError(STATUS, "unusable status list", seen=seen, expected=expected)


def _unusable_reference(seen: object) -> VerificationError:
    return VerificationError(
        STATUS,
        "unusable status",
        seen=shown(seen),
        expected='"status_list" with a place "idx" and an address "uri"',
        mend="get a new token",
    )
