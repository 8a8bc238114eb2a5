"""What a client is told when it gets no token: RFC 6749 section 5.2, with Ostiary's trace id.

OstiaryError
├── TokenRequestRefused    the authorization server answered with an error; asking again unchanged will not help
│   └── SignInRequired     ... because the user's permission has ended
├── AuthorizationRefused   the user came back without a code: they or the server said no
├── StepUpRequired         the API wants a fresher or stronger sign-in of the user
├── VerificationError      the server's answer is not to be trusted (another issuer, a redirect, no JSON)
├── ConfigurationError     the caller's own input is wrong, or a token would leave for a place it is not meant for
└── Unavailable            no answer, or one that asks to come back later
"""

from __future__ import annotations

import re
from typing import Final, TypedDict

from ostiary.errors import OstiaryError

ERROR_CODE: Final = re.compile(r"[!#-\[\]-~]{1,64}")
"""What may be an error code: "MUST NOT include characters outside the set %x20-21 / %x23-5B / %x5D-7E" (RFC 6749
sections 4.1.2.1 and 5.2), and no space, for it is one word."""

_MENDS = {
    "invalid_client": "check that this key is registered for this client, is valid now, and that the clocks agree",
    "invalid_scope": "ask only for scopes that this client was granted for this API",
    "invalid_target": "check the API's identifier (resource), and that this client may use that API",
    "unauthorized_client": "this client may not use this grant",
    "invalid_grant": "get a new token",
}


class TokenRequestRefused(OstiaryError):
    """The authorization server refused a request.

    Attributes:
        code: the registered error code, such as ``"invalid_client"``.
        description: the server's one public sentence, possibly empty.
        trace: the id for ``ostiary explain``, or None where the server gave none.
        status: the HTTP status of the answer.
        mend: what usually helps, possibly empty.
    """

    def __init__(
        self, code: str, description: str = "", trace: str | None = None, *, status: int = 400, mend: str | None = None
    ) -> None:
        self.code = code
        self.description = description
        self.trace = trace
        self.status = status
        self.mend = _MENDS.get(code, "") if mend is None else mend
        said = f"{code}: {description}" if description else code
        hint = f" ({self.mend})" if self.mend else ""
        found = f" [trace {trace}]" if trace else ""
        super().__init__(f"The authorization server refused: {said}{hint}{found}")


class SignInRequired(TokenRequestRefused):
    """The user's permission has ended, or there is no refresh token: send the user to sign in again."""

    def __init__(self, description: str = "", trace: str | None = None) -> None:
        super().__init__("invalid_grant", description, trace, mend="let the user sign in again")


class AuthorizationRefused(OstiaryError):
    """The user came back without a code: they or the server said no (RFC 6749 section 4.1.2.1).

    Attributes:
        code: the registered error code, such as ``"access_denied"`` or ``"login_required"``.
        description: the server's one public sentence, possibly empty.
    """

    def __init__(self, code: str, description: str = "") -> None:
        self.code = code
        self.description = description
        super().__init__(f"The sign-in was refused: {code}" + (f": {description}" if description else ""))


class StepUpRequired(OstiaryError):
    """The API demands a fresher or stronger sign-in (RFC 9470 section 3).

    Attributes:
        acr_values: the levels that will do, possibly empty.
        max_age: at most so many seconds since the user proved who they are, or None.
        description: the API's one public sentence, possibly empty.

    Hand it on to the user's next sign-in: ``application.begin(scope=..., **error.demand())``.
    """

    def __init__(self, acr_values: tuple[str, ...], max_age: int | None, description: str = "") -> None:
        self.acr_values = acr_values
        self.max_age = max_age
        self.description = description
        wanted = [f"one of the levels {', '.join(acr_values)}"] if acr_values else []
        wanted += [f"a sign-in of at most {max_age} seconds ago"] if max_age is not None else []
        super().__init__("The API demands " + (" and ".join(wanted) or "another sign-in"))

    def demand(self) -> StepUpDemand:
        """The arguments for ``Application.begin``."""
        return {"acr_values": self.acr_values, "max_age": self.max_age}


class StepUpDemand(TypedDict):
    """What ``Application.begin`` takes of a step-up."""

    acr_values: tuple[str, ...]
    max_age: int | None
