"""One row of the revocation log: an act that ends one token, or all that hang on something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

RevocationKind = Literal["jti", "grant", "client", "sub", "sid", "client_key", "signing_key", "installation"]

EPOCH: Final = 1 << 32
"""Positions of one epoch of the installation: epoch e begins at e * EPOCH, whatever was written in the ones before."""
END_OF_EPOCHS: Final = 1 << 53
"""Positions stay below: RFC 8259 section 6, integers up to 2**53 - 1 are read alike by everybody."""

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
