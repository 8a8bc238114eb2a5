"""What comes back with the user: RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from ostiary.client.authorization_request import PENDING_LIFE, PendingAuthorization
from ostiary.client.errors import ERROR_CODE, AuthorizationRefused
from ostiary.errors import VerificationError
from ostiary.protocol.checks import EXPIRY, FORMAT, ISSUER, STATE, shown
from ostiary.protocol.metadata import AuthorizationServerMetadata

_CODE = re.compile(r"[\x20-\x7e]{1,4096}")

Callback = str | Mapping[str, str]
"""The URL that the user came back to, or the parameters in its query (or in the form that was posted there).

A framework's own ``request.GET``, ``request.args`` or ``request.query_params`` will do.
"""


def read(pending: PendingAuthorization, metadata: AuthorizationServerMetadata, callback: Callback, now: float) -> str:
    """The code in ``callback``, if it is the answer to ``pending``. now: seconds since the epoch.

    Raises AuthorizationRefused where user or server said no, and VerificationError("state", "issuer", "expiry",
    "format") for what is no answer to this request; nothing of that may be acted upon.
    """
    parameters = parameters_of(callback)
    state = parameters.get("state", "")
    if not hmac.compare_digest(state.encode(), pending.state.encode()):
        raise VerificationError(
            STATE,
            "this is not the answer to the sign-in that this browser began",
            seen="another state" if state else "no state",
            expected="the state of the request",
            mend="begin the sign-in again, and finish it in the same browser",
        )
    if not 0 <= now - pending.created_at < PENDING_LIFE:
        raise VerificationError(
            EXPIRY, "the sign-in took too long", seen=f"begun at {pending.created_at:.0f}", mend="begin it again"
        )
    _check_issuer(parameters.get("iss"), pending.issuer, metadata)
    if "error" in parameters:
        raise _refusal(parameters)
    code = parameters.get("code", "")
    if _CODE.fullmatch(code) is None:
        raise _malformed("no code, or none that could be one")
    return code


def parameters_of(callback: Callback) -> dict[str, str]:
    """The parameters of ``callback``. Raises VerificationError("format"): one stands twice, or is no text.

    "Request and response parameters MUST NOT be included more than once" (RFC 6749 section 3.1).
    """
    if isinstance(callback, str):
        try:
            query = urlsplit(callback).query
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50) if query else []
        except ValueError:
            raise _malformed("a query with too many parameters, or none at all") from None
        if len({name for name, _ in pairs}) != len(pairs):
            raise _malformed("a parameter that stands twice")
        return dict(pairs)
    parameters = _singles(callback)
    if not all(isinstance(value, str) for value in parameters.values()):
        raise _malformed("a parameter that is no text, perhaps because it stands twice")
    return parameters


def _singles(callback: Mapping[str, str]) -> dict[str, str]:
    # What Django, Starlette and Werkzeug make of a query has one value of a parameter for who asks as of any mapping,
    # and tells of the others here alone.
    all_of = getattr(callback, "getlist", None)
    if all_of is None:
        return dict(callback)
    listed = {name: all_of(name) for name in callback}
    if any(len(values) != 1 for values in listed.values()):
        raise _malformed("a parameter that stands twice")
    return {name: values[0] for name, values in listed.items()}


def _check_issuer(iss: str | None, expected: str, metadata: AuthorizationServerMetadata) -> None:
    """Refuse the answer of another server with VerificationError("issuer").

    "clients MUST compare the extracted and URL-decoded value to the issuer identifier of the authorization server where
    the authorization request was sent to (...) If the value does not match the expected issuer identifier, clients MUST
    reject"; where a server says that it supports the parameter, "clients MUST reject authorization responses without"
    it (RFC 9207 section 2.4). So a code never goes to another server than its own (mix-up).
    """
    if iss is None and not metadata.authorization_response_iss_parameter_supported:
        return
    if iss != expected:
        raise VerificationError(
            ISSUER,
            "the answer comes from another authorization server",
            seen=shown(iss) if iss is not None else "no iss",
            expected=expected,
            mend="begin the sign-in again; if it happens again, somebody is mixing servers up",
        )


def _refusal(parameters: Mapping[str, str]) -> AuthorizationRefused:
    code = parameters["error"]
    if ERROR_CODE.fullmatch(code) is None:
        raise _malformed("an unusable error code")
    return AuthorizationRefused(code, shown(parameters.get("error_description", "")))


def _malformed(seen: str) -> VerificationError:
    return VerificationError(FORMAT, "malformed authorization response", seen=seen, mend="begin the sign-in again")
