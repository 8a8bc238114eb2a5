"""What a browser sends of a passkey, read strictly: Web Authentication Level 3, section 5.1 (``toJSON``).

The checks of sections 7.1 and 7.2 are made by the library ``webauthn``; those that it leaves out are made here and by
the two that use this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import msgspec

from ostiary.errors import VerificationError
from ostiary.protocol import base64url

PASSKEY: Final = "passkey"
"""The name of the field that brings it, and of the check that a passkey which is not taken fails."""

MAX_ID_BYTES: Final = 1023
"""Of a credential id: section 7.1, step 25."""

T = TypeVar("T")


class _ClientData(msgspec.Struct, frozen=True):
    crossOrigin: bool = False  # noqa: N815 - as in the specification
    topOrigin: str | None = None  # noqa: N815


def parsed(text: str, kind: type[T]) -> T:
    """The JSON ``text`` as ``kind``. Raises VerificationError."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise wrong("no response of a passkey") from None


def octets(text: str) -> bytes:
    """What base64url ``text`` stands for. Raises VerificationError."""
    try:
        return base64url.decode(text.encode("ascii"))
    except (UnicodeEncodeError, VerificationError):
        raise wrong("a response that is not base64url") from None


def credential_id(named: str, raw: str) -> bytes:
    """The id, given twice. Raises VerificationError: they differ, or are too long."""
    found = octets(raw)
    if named != raw or not 0 < len(found) <= MAX_ID_BYTES:
        raise wrong("an impossible credential id")
    return found


def refuse_embedded(client_data: bytes) -> None:
    """Raises VerificationError: the passkey was asked for by a page inside another site's."""
    # "If C.crossOrigin is present and set to true, verify that the Relying Party expects that this credential would
    # have been" used within an iframe of another origin: sections 7.1 and 7.2. Ours never are.
    framed = parsed(client_data.decode("utf-8", "replace"), _ClientData)
    if framed.crossOrigin or framed.topOrigin is not None:
        raise wrong("a page inside a page of another site")


@contextmanager
def examined() -> Iterator[None]:
    """Around the library: whatever it makes of octets from outside, a passkey that it does not accept is refused."""
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        yield
    except VerificationError:
        raise
    except WebAuthnException as error:
        raise wrong(str(error)) from None
    except Exception as error:
        # Keys and CBOR of anybody's making go into it, and not all that they can cause has a class of its own.
        raise wrong(f"what the library cannot read ({type(error).__name__})") from error


def wrong(seen: str) -> VerificationError:
    """The refusal of a passkey; ``seen`` is for the log."""
    return VerificationError(
        PASSKEY, "this passkey was not accepted", seen=seen, expected="a passkey of this user, made for this site"
    )
