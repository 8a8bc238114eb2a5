"""How a certificate is refused: a reason that the one who asked can mend, and the check that failed."""

from __future__ import annotations

from ostiary.errors import VerificationError


def refused(check: str, public: str, *, seen: str = "", expected: str = "", mend: str = "") -> VerificationError:
    """The refusal of a certificate; what was seen is shortened."""
    return VerificationError(check, public, seen=seen[:200], expected=expected, mend=mend)
