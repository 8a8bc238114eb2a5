"""External account bindings (RFC 8555 section 7.3.4): a MAC by a key of the operator's over the account's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ostiary.certificate_authority.acme.problems import Problem, of_verification, unauthorized
from ostiary.errors import VerificationError
from ostiary.model.acme import AcmeCredential
from ostiary.protocol import acme_jws, strict_json
from ostiary.protocol.acme_jws import AcmeJws
from ostiary.protocol.jwk import VerificationKey, parse_public_key

SEALED_FOR: Final = "acme credential"
"""The purpose under which MAC keys are sealed; the context is the key id."""

OpenKey = Callable[[AcmeCredential], bytes]


def parse_binding(binding: object) -> AcmeJws:
    """The inner JWS of a new account. Raises Problem."""
    if not isinstance(binding, dict):
        raise Problem(
            "externalAccountRequired",
            "an external account binding is required",
            status=403,
            check="external_account_binding",
            seen="none",
            expected="a binding",
            mend="ask the operator for a key id and a MAC key: ostiary acme eab create",
        )
    try:
        return acme_jws.parse(binding, algorithms=acme_jws.MAC_ALGORITHMS)
    except VerificationError as error:
        raise of_verification(error, "malformed") from None


def check_binding(
    inner: AcmeJws, credential: AcmeCredential | None, open_key: OpenKey, account_key: VerificationKey, url: str
) -> AcmeCredential:
    """The credential that was proved. url: of the outer request. Raises Problem."""
    if inner.nonce or inner.url != url:
        # Section 7.3.4: no nonce, and the same URL as the outer JWS.
        raise Problem("malformed", "nonce or url of the binding is not right", check="external_account_binding")
    if credential is None:
        raise _refused("no such key id")
    try:
        acme_jws.verify_mac(inner, open_key(credential))
    except VerificationError:
        raise _refused("a MAC by another key") from None
    if credential.state != "active":
        raise _refused("a revoked credential")
    # Section 7.3.4: the payload is the key of the outer JWS.
    if not _is(account_key, _payload(inner)):
        raise Problem("malformed", "the binding is for another key", check="external_account_binding")
    return credential


def _payload(inner: AcmeJws) -> Mapping[str, object]:
    """The payload as a JSON object. Raises Problem."""
    try:
        return strict_json.decode_object(inner.payload)
    except VerificationError as error:
        raise of_verification(error, "malformed") from None


def _is(key: VerificationKey, jwk: Mapping[str, object]) -> bool:
    try:
        return parse_public_key(jwk, alg=key.alg).thumbprint == key.thumbprint
    except VerificationError:
        return False


def _refused(seen: str) -> Problem:
    # Told the same for all three, so that nobody finds out which key ids there are.
    return unauthorized(
        "the external account binding is not good",
        check="external_account_binding",
        seen=seen,
        expected="a MAC by the key of an active credential",
        mend="ask the operator for a new credential",
    )
