"""How ACME refuses: a problem document (RFC 9457) with an error type of RFC 8555 section 6.7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ostiary.errors import OAuthError, VerificationError
from ostiary.protocol import checks
from ostiary.protocol.acme_jws import ALGORITHMS

URN: Final = "urn:ietf:params:acme:error:"


class Problem(OAuthError):
    """A refusal. code: the error type without its URN; description: for the caller.

    members: further members of the document; subproblems: one a name (section 6.7.1).
    """

    def __init__(
        self,
        code: str,
        description: str,
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        check: str = "",
        seen: str = "",
        expected: str = "",
        mend: str = "",
        members: Mapping[str, object] | None = None,
        subproblems: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(
            code, description, status=status, headers=headers, check=check, seen=seen, expected=expected, mend=mend
        )
        self.members = dict(members or {}) | ({"subproblems": list(subproblems)} if subproblems else {})

    def document(self) -> dict[str, object]:
        """The problem document."""
        detail = f"{self.description}; {self.mend}" if self.mend else self.description
        return {"type": URN + self.code, "detail": detail, "status": self.status, **self.members}


_OF_CHECKS = {
    checks.ALGORITHM: "badSignatureAlgorithm",
    checks.KEY: "badPublicKey",
    "csr": "badCSR",
    "identity": "rejectedIdentifier",
    "name_constraints": "rejectedIdentifier",
}


def of_verification(error: VerificationError, code: str = "") -> Problem:
    """The problem behind a failed check; code: the error type, if the check does not say it."""
    found = code or _OF_CHECKS.get(error.check, "malformed")
    problem = Problem.of(error, found)
    if found == "badSignatureAlgorithm":
        # The document then says which are taken (section 6.2).
        problem.members["algorithms"] = list(ALGORITHMS)
    return problem


def malformed(detail: str, *, check: str = "format", seen: str = "", expected: str = "", mend: str = "") -> Problem:
    """A request that is not what it should be."""
    return Problem("malformed", detail, check=check, seen=seen, expected=expected, mend=mend)


def unauthorized(detail: str, *, check: str, seen: str = "", expected: str = "", mend: str = "") -> Problem:
    """A request of somebody who may not make it."""
    return Problem("unauthorized", detail, status=403, check=check, seen=seen, expected=expected, mend=mend)


def not_found(what: str) -> Problem:
    """What is not there, or belongs to another account: nobody may find out which by trying."""
    return Problem("malformed", f"there is no such {what}", status=404, check=what)
