"""One row of the revocation log: an act that ends one token, or all that hang on something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

RevocationKind = Literal["jti", "grant", "client", "sub", "sid", "client_key", "signing_key", "installation"]

EPOCH: Final = 1 << 22
"""Epoch e of the installation begins at position e * EPOCH; that many positions there are for each second of it."""
_FIRST_EPOCH: Final = 1_767_225_600
END_OF_EPOCHS: Final = 1 << 53
"""Positions stay below: RFC 8259 section 6, integers up to 2**53 - 1 are read alike by everybody."""


def epoch_at(now: int) -> int:
    """The number of an epoch that begins now: the seconds since the beginning of 2026 (``now``: since that of 1970).

    Not simply one more than the last: a database that was restored does not know how many epochs it had before, and two
    restores of one backup would begin the same. No log grows by EPOCH rows a second, so a later epoch lies above all.
    """
    return max(1, now - _FIRST_EPOCH)


KEPT_BEYOND_ITS_END = 600
"""Seconds that a row stays in the log beyond ``expires_at``: so far behind the clock of an API may be."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A row names what ends: a token by ``jti``, else every token below its own position that hangs on ``value``.

    position: in the log, ordered by commit; taken as the last statement before it. 0 before it is written.
    value: a ``jti``, grant id, client_id, subject, session id, thumbprint of a client key or certificate, or a signing
        ``kid``; "" for the installation: such a row stands at the beginning of an epoch, and every token issued in an
        earlier one ends.
    at: seconds since the epoch, for people; no decision rests on it.
    expires_at: when the last token that it could concern has ended.
    """

    kind: RevocationKind
    value: str
    at: int
    expires_at: int
    reason: str = ""
    position: int = 0
    tenant: str = "default"
