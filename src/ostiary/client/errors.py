"""What a client is told when it gets no token: RFC 6749 section 5.2, with Ostiary's trace id.

OstiaryError
├── TokenRequestRefused    the authorization server answered with an error; asking again unchanged will not help
├── VerificationError      the server's answer is not to be trusted (another issuer, a redirect, no JSON)
├── ConfigurationError     the caller's own input is wrong, or a token would leave for a place it is not meant for
└── Unavailable            no answer, or one that asks to come back later
"""

from __future__ import annotations

from ostiary.errors import OstiaryError

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

    def __init__(self, code: str, description: str = "", trace: str | None = None, *, status: int = 400) -> None:
        self.code = code
        self.description = description
        self.trace = trace
        self.status = status
        self.mend = _MENDS.get(code, "")
        said = f"{code}: {description}" if description else code
        hint = f" ({self.mend})" if self.mend else ""
        found = f" [trace {trace}]" if trace else ""
        super().__init__(f"The authorization server refused: {said}{hint}{found}")
