"""The refusals that several formats share, so that one fault is told in one sentence everywhere."""

from __future__ import annotations

from ostiary.errors import VerificationError
from ostiary.protocol.checks import KEY, SIGNATURE


def bad_signature(
    seen: str = "a signature by another key or over other content", expected: str = ""
) -> VerificationError:
    """The refusal of a signature."""
    return VerificationError(
        SIGNATURE,
        "signature does not verify",
        seen=seen,
        expected=expected or "a signature of exactly these bytes by the named key",
        mend="sign with the private half of the registered key, and let nothing change the token on its way",
    )


def bad_key(seen: str, *, expected: str = "", mend: str = "") -> VerificationError:
    """The refusal of a key or a document of keys; ``seen`` names the fault and never holds private members."""
    return VerificationError(KEY, "unusable key", seen=seen, expected=expected, mend=mend)
