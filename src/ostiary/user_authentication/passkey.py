"""Signs in by a passkey, alone or after a password: Web Authentication Level 3, section 7.2.

It is always one that names its user (discoverable) and for which the authenticator verified them (by a PIN, a finger, a
face), so it is two factors by itself. ``amr`` (RFC 8176 section 2, OpenID EAP ACR Values 1.0 section 3): ``hwk`` for a
passkey that stays on its device, ``swk`` for one that is copied to others, ``user`` and ``pop``. Which of the two it is
the authenticator says of itself; attestation, which would prove it, is not asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.audit import tags
from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.errors import VerificationError
from ostiary.model.factor import Factor
from ostiary.model.user import User
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.attempt import Alarm, Attempt, Method, Proved
from ostiary.user_authentication.passkey_challenge import CHALLENGE, LIFE, Challenge, new_challenge, opened
from ostiary.user_authentication.passkey_response import (
    PASSKEY,
    credential_id,
    examined,
    octets,
    parsed,
    refuse_embedded,
    wrong,
)
from ostiary.user_authentication.registered_passkeys import BACKED_UP, DEVICE_TYPE, descriptors
from ostiary.user_authentication.relying_party import RelyingParty, required_party

if TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication

    from ostiary.authorization_server.context import AuthorizationServer

SIGN_COUNT: Final = "sign_count"
"""The name of the check that a passkey fails whose counter did not rise."""

COPIED: Final = "multi_device"
"""The device type of a passkey that its authenticator may copy to other devices."""


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    client_data: str = msgspec.field(name="clientDataJSON")
    authenticator_data: str
    signature: str
    user_handle: str | None = None


class _Sent(msgspec.Struct, frozen=True):
    """AuthenticationResponseJSON, section 5.1."""

    id: str
    rawId: str  # noqa: N815 - as in the specification
    response: _Response


def options(
    server: AuthorizationServer, browser: BrowserSecrets, factors: Collection[Factor], now: float
) -> dict[str, object]:
    """What a script needs to ask the browser for a passkey: ``publicKey``, and ``challenge`` to be sent back with it.

    factors: of the user, where they are known already; without any the passkey itself says whose it is.
    Raises VerificationError: passkeys do not work at this issuer.
    """
    # Imported late: the library costs 6 MB, which an installation without passkeys need not hold.
    from webauthn import generate_authentication_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import UserVerificationRequirement

    party = required_party(server.issuer)
    challenge = new_challenge(server, browser, "sign-in", now)
    asked = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge.octets,
        timeout=LIFE * 1000,
        allow_credentials=descriptors(factors) or None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return {"publicKey": options_to_json_dict(asked), CHALLENGE: challenge.sealed}


async def whose(work: UnitOfWork, form: Mapping[str, str]) -> User | None:
    """The user whom the passkey in ``form`` names, if it is registered for them; nothing is proved by that."""
    # "If the user was not identified before the authentication ceremony was initiated, verify that response.userHandle
    # is present. Verify that the user account identified by response.userHandle contains a credential record whose id
    # equals credential.rawId" section 7.2, step 6
    try:
        sent = parsed(form.get(PASSKEY, ""), _Sent)
        handle = octets(sent.response.user_handle or "")
    except VerificationError:
        return None
    factor = await work.factors.by_lookup("passkey", sent.id)
    if factor is None or handle != factor.user_id.encode("utf-8"):
        return None
    return await work.users.get(factor.user_id)


async def prove(attempt: Attempt) -> Proved:
    """Raises VerificationError: no passkey of this user's, or it does not answer this browser's challenge as it should.

    What it proves is confirmed with an Alarm if the signature is good, but the counter did not rise.
    """
    place = attempt.place
    party = required_party(place.server.issuer)
    challenge = opened(place.server, place.secrets, "sign-in", attempt.form.get(CHALLENGE, ""), place.now)
    sent = parsed(attempt.form.get(PASSKEY, ""), _Sent)
    factor = next((one for one in attempt.of_kind("passkey") if one.lookup == sent.id), None)
    if attempt.user is None or factor is None:
        raise wrong("a passkey that is not registered for this user")
    if sent.response.user_handle is not None and octets(sent.response.user_handle) != factor.user_id.encode("utf-8"):
        raise wrong("a passkey made for another user")
    verified = _verified(party, challenge, sent, factor)
    _refuse_changed_kind(factor, verified.credential_device_type.value)
    used = _Use(factor, challenge, verified.new_sign_count, verified.credential_backed_up, place.now)
    return Proved(factor.user_id, amr_of(factor), used)


def amr_of(factor: Factor) -> tuple[str, ...]:
    """The methods, RFC 8176, that a sign-in by this passkey shows."""
    return ("swk" if factor.details.get(DEVICE_TYPE) == COPIED else "hwk", "user", "pop")


def _verified(party: RelyingParty, challenge: Challenge, sent: _Sent, factor: Factor) -> VerifiedAuthentication:
    from webauthn import verify_authentication_response
    from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse

    raw_id = credential_id(sent.id, sent.rawId)
    client_data = octets(sent.response.client_data)
    credential = AuthenticationCredential(
        id=sent.id,
        raw_id=raw_id,
        response=AuthenticatorAssertionResponse(
            client_data_json=client_data,
            authenticator_data=octets(sent.response.authenticator_data),
            signature=octets(sent.response.signature),
        ),
    )
    with examined():
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge.octets,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=factor.secret,
            # The library looks at the counter before the signature; an alarm must not be raised by what anybody can
            # write, so it is looked at after this.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    refuse_embedded(client_data)
    return verified


def _alarm(factor: Factor, count: int) -> Alarm:
    # "less than or equal to credentialRecord.signCount: This is a signal, but not proof, that the authenticator may be
    # cloned." section 7.2
    return Alarm(
        tags.PASSKEY_CLONE_SUSPECTED,
        factor.factor_id,
        SIGN_COUNT,
        "this passkey was not accepted",
        seen=f"signature counter {count}",
        expected=f"more than {factor.counter}",
    )


def _refuse_changed_kind(factor: Factor, device_type: str) -> None:
    # "If credentialRecord.backupEligible is set, verify that currentBe is set." and the reverse: section 7.2
    if factor.details.get(DEVICE_TYPE) != device_type:
        raise wrong("a passkey that may be copied to other devices now, or may no more")


@dataclass(frozen=True, slots=True)
class _Use:
    """Marks the challenge as answered and raises the counter: of two that send the same, one signs in."""

    factor: Factor
    challenge: Challenge
    count: int
    backed_up: bool
    now: float

    async def __call__(self, work: UnitOfWork) -> None:
        await self.challenge.use(work, self.now)
        present = await work.factors.get(self.factor.factor_id)
        if present is None:
            raise wrong("a passkey that was removed meanwhile")
        if not self.count and not present.counter:
            # An authenticator without a counter sends 0 for ever.
            await work.factors.touch(present.factor_id, int(self.now))
        elif not await work.factors.advance(present.factor_id, to=self.count, at=int(self.now)):
            raise _alarm(present, self.count)
        if present.details.get(BACKED_UP) != self.backed_up:
            await work.factors.set_details(present.factor_id, {**present.details, BACKED_UP: self.backed_up})


METHOD = Method("passkey", PASSKEY, first=True, second=True, prove=prove, counted=False, whose=whose)
