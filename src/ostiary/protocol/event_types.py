"""Types of security events, sent or understood: SSF 1.0 section 8.1.4, CAEP 1.0 section 3, RISC 1.0 section 2."""

from __future__ import annotations

from typing import Final

_SSF: Final = "https://schemas.openid.net/secevent/ssf/event-type/"
_CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"

VERIFICATION: Final = _SSF + "verification"
STREAM_UPDATED: Final = _SSF + "stream-updated"

SESSION_REVOKED: Final = _CAEP + "session-revoked"
CREDENTIAL_CHANGE: Final = _CAEP + "credential-change"
ASSURANCE_LEVEL_CHANGE: Final = _CAEP + "assurance-level-change"

ACCOUNT_DISABLED: Final = _RISC + "account-disabled"
ACCOUNT_ENABLED: Final = _RISC + "account-enabled"
ACCOUNT_PURGED: Final = _RISC + "account-purged"
CREDENTIAL_COMPROMISE: Final = _RISC + "credential-compromise"
SESSIONS_REVOKED: Final = _RISC + "sessions-revoked"
"""Deprecated in RISC 1.0 for CAEP's ``session-revoked``: never sent, but understood."""

SENT: Final = (SESSION_REVOKED, CREDENTIAL_CHANGE, ASSURANCE_LEVEL_CHANGE, ACCOUNT_DISABLED, ACCOUNT_ENABLED)
"""What a receiver may ask for; the two of SSF come by themselves."""
